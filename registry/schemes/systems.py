"""The code systems: their names, which are prefixes too, and by what a text is told to be theirs."""

from typing import Final

from registry.language import Catalogue

# A prefix of this name holds the codes of the system; "handle" has no prefix of its own, and codes of VAA are handles.
SYSTEMS: Final[Catalogue] = {
    "handle": ("a handle: nothing else it could be", "Handle 标识:不符合其他编码体系的形式"),
    "oid": (
        "an OID: 'urn:oid:', a path below a root arc, or at least three arcs of which the first is 0, 1 or 2",
        "OID:以 urn:oid: 开头、根弧开头的路径,或至少三段且首段为 0、1 或 2",
    ),
}
