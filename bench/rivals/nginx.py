"""nginx with one body for every name: it looks nothing up, so it is what a server of HTTP can reach on one core."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.ports import free_port
from bench.rivals import job
from bench.rivals.processes import START_SECONDS, Server, Task, running, tree
from bench.rivals.programs import debian_package, environment_of

WITH_WORKER: Final = 2  # Processes: the first one only watches the other.
CONFIGURATION: Final = """
daemon off; worker_processes 1; pid %(directory)s/nginx.pid; error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path %(directory)s/body; proxy_temp_path %(directory)s/proxy;
  fastcgi_temp_path %(directory)s/fastcgi; uwsgi_temp_path %(directory)s/uwsgi; scgi_temp_path %(directory)s/scgi;
  server { listen 127.0.0.1:%(port)d; location / { return 200 '%(body)s'; } }
}
"""


@asynccontextmanager
async def nginx(task: Task) -> AsyncIterator[Server]:
    root = debian_package("nginx")
    port = free_port()
    configuration = task.directory / "nginx.conf"
    told = {"directory": task.directory, "port": port, "body": job.body(0).decode()}
    configuration.write_text(CONFIGURATION % told, "utf-8")
    command = (root / "usr/sbin/nginx", "-c", configuration, "-p", task.directory)
    async with running(command, port, environment_of(root), task.directory) as pid:
        async with asyncio.timeout(START_SECONDS):
            while len(tree(pid)) < WITH_WORKER:  # noqa: ASYNC110  # its port is open before anybody answers there
                await asyncio.sleep(0.01)
        yield Server(pid, port)
