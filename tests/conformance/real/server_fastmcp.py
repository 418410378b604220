"""A FastMCP server with one tool: server_fastmcp.py PORT."""

import sys

from fastmcp import FastMCP

server = FastMCP("fastmcp-upstream")


@server.tool(description="Says what it was told")
def echo(text: str) -> str:
    return text


server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
