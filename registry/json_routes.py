"""The usual operation of the registry's own interface: for who proves who he is, JSON in and out."""

from http import HTTPStatus

from registry.bodies import JSON, REFUSED
from registry.documentation import LANGUAGE_PARAMETER
from registry.routes import Handler, Parameter, Route


def json_route(
    method: str,
    path: str,
    handler: Handler,
    operation: str,
    texts: tuple[str, str],
    answer: object = None,
    *,
    form: object = None,
    parameters: tuple[Parameter, ...] = (),
    status: int = HTTPStatus.OK,
) -> Route:
    """`answer` and `form` are those of the bodies; without an answer the status is 204."""
    status = HTTPStatus.NO_CONTENT if answer is None else status
    return Route(
        *(method, path, handler, operation, *texts),
        parameters=(*parameters, LANGUAGE_PARAMETER),
        request={} if form is None else {JSON: form},
        responses=REFUSED | {int(status): "" if answer is None else JSON},
        authenticated=True,
        answers={} if answer is None else {int(status): answer},
    )
