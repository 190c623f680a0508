"""nginx with one body for every name: it looks nothing up, so it is what a server of HTTP can reach on one core."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.rivals import job
from bench.rivals.processes import Server, Task, free_port, running
from bench.rivals.programs import debian_package, environment_of

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
        yield Server(pid, port)
