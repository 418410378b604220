"""A server that speaks over standard input, behind HTTP: server_bridge.py PORT PROGRAM ARGUMENTS…"""

import os
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

port, program, *arguments = sys.argv[1:]
# The server behind knows only the older revisions; left to choose, the bridge would speak the caller's to it.
behind = Client(StdioTransport(program, arguments, env=dict(os.environ)), mode="legacy")
create_proxy(behind, name="bridge").run(transport="http", host="127.0.0.1", port=int(port), show_banner=False)
