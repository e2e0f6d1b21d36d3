import http.client
import json
import re
import subprocess
import sys

import pytest


class Client:
    def __init__(self, port):
        self.port = port

    def call(self, method, path, document=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        body = None if document is None else json.dumps(document)
        connection.request(method, path, body)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text


@pytest.fixture(scope="session")
def shop():
    process = subprocess.Popen([sys.executable, "-m", "shop"], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        yield Client(int(re.search(r":(\d+)$", line.strip())[1]))
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
