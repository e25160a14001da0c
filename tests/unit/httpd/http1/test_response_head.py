"""The first line and the date of a response."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from time import time

from pyroadrunner.httpd.http1.response_head import date_line, status_line


def test_status_lines() -> None:
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(404, 0) == b"HTTP/1.0 404 Not Found\r\n"
    assert status_line(419) == b"HTTP/1.1 419 Page Expired\r\n"
    assert status_line(599) == b"HTTP/1.1 599 status code 599\r\n"


def test_the_date_is_the_time_now() -> None:
    line = date_line().decode()
    assert line.startswith("Date: ")
    assert line.endswith(" GMT\r\n")
    assert abs(parsedate_to_datetime(line[6:-2]).timestamp() - time()) < 3
