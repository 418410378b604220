"""FastMCP as a client: client_fastmcp.py URL CALLS."""

import asyncio
import json
import os
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


async def fill_in(_message, response_type, _params, _context):
    return response_type(username="filled", email="filled")


async def sample(_messages, _params, _context):
    return "sampled"


async def main(url, calls):
    headers = {"Authorization": f"Bearer {os.environ['BEARER']}"} if "BEARER" in os.environ else {}
    transport = StreamableHttpTransport(url, headers=headers)
    async with Client(transport, elicitation_handler=fill_in, sampling_handler=sample, timeout=20) as client:
        tools = await client.list_tools()
        texts = []
        for name, arguments in calls:
            texts.append((await client.call_tool(name, arguments)).content[0].text)
        version = client.session.protocol_version
        print(json.dumps({"version": version, "tools": len(tools), "texts": texts}))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
