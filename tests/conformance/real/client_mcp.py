"""The Python SDK as a client: client_mcp.py MODE URL CALLS; MODE is auto, legacy or a revision."""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client


async def fill_in(_context, params):
    fields = params.requested_schema["properties"]
    return types.ElicitResult(action="accept", content={name: "filled" for name in fields})


async def sample(_context, _params):
    text = types.TextContent(type="text", text="sampled")
    return types.CreateMessageResult(role="assistant", content=text, model="none")


async def main(mode, url, calls):
    headers = {"Authorization": f"Bearer {os.environ['BEARER']}"} if "BEARER" in os.environ else {}
    async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=fill_in, sampling_callback=sample) as client:
            tools = (await client.list_tools()).tools
            texts = []
            for name, arguments in calls:
                result = await client.call_tool(name, arguments)
                texts.append(result.content[0].text)
            print(json.dumps({"version": client.protocol_version, "tools": len(tools), "texts": texts}))


asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
