import importlib.util
import os
import socket
import sys
import time

import pytest

from storecast.forecasting.fan_out import fan_out

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed")


def test_answers_come_in_the_order_of_the_calls_however_long_each_takes():
    def wait(scale: float, number: int) -> tuple[int, int]:
        time.sleep(scale * (3 - number))
        return number, os.getpid()

    answers = list(fan_out(wait, [(number,) for number in range(4)], shared=(0.1,), n_jobs=2))
    assert [number for number, _ in answers] == [0, 1, 2, 3]
    assert os.getpid() not in {process for _, process in answers}


def test_one_call_is_made_here_for_starting_a_process_costs_more():
    assert list(fan_out(os.getpid, [()], n_jobs=2)) == [os.getpid()]


def test_no_calls_have_no_answers_and_ask_for_no_cluster():
    assert list(fan_out(pow, [])) == list(fan_out(pow, [], ray_address="nowhere:1")) == []


def test_without_ray_an_address_is_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError, match=r"ray_address is 'head:6379'.* install storecast\[ray\]"):
        list(fan_out(pow, [(2, 3)], ray_address="head:6379"))


@needs_ray
@pytest.mark.parametrize("port", ["closed", "99999", "redis"])
def test_an_address_where_nothing_answers_is_an_error_that_names_it_and_what_to_do(port):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = str(taken.getsockname()[1])
    address = f"127.0.0.1:{closed if port == 'closed' else port}"
    with pytest.raises(ConnectionError, match=f"ray_address is '{address}', where no cluster answers.*ray start"):
        list(fan_out(pow, [(2, 3)], ray_address=address))
