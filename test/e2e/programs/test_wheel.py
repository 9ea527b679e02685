"""What users do with wheels of two networks and of a training step, which are installed."""

import threading
import time

import numpy
import pytest

import bytes as pixels
import heavy
import xor_step


def pictures(count):
    picture = (numpy.arange(count * 72, dtype=numpy.int64) * 37 % 256).astype(numpy.uint8).reshape(count, 4, 6, 3)
    return picture, numpy.ascontiguousarray(picture.transpose(0, 3, 1, 2)).astype(numpy.float32)


def test_results_by_place_and_by_name():
    picture, planes = pictures(3)
    for outputs in (pixels.run(picture, planes), pixels.run(planes=planes, picture=picture)):
        assert outputs.difference.shape == (3, 3, 4, 6) and outputs.difference.dtype == numpy.float32
        assert not outputs.difference.any()
        assert (outputs.sharp == 2 * planes).all() and (outputs.twice == outputs.sharp).all()
    # A smaller batch on the same session, then a larger one.
    assert (pixels.run(*pictures(1)).twice == 2 * pictures(1)[1]).all()
    assert (pixels.run(*pictures(5)).twice == 2 * pictures(5)[1]).all()
    assert pixels.Model().isa in ("avx512", "avx2", "sse")


def test_strides():
    frame = numpy.zeros((2, 9, 20, 3), numpy.uint8)
    picture = frame[:, 2:6, 12:0:-2]
    picture[...] = pictures(2)[0]
    planes = pictures(2)[0].astype(numpy.float32).transpose(0, 3, 1, 2)
    session = pixels.Session(max_batch=2, threads=2)
    wide = numpy.full((2, 3, 4, 12), -1, numpy.float32)
    outputs = session.run(picture, planes)
    into = outputs._replace(sharp=wide[..., ::2])
    session.run_into(into, picture, planes)
    assert not outputs.difference.any() and (wide[..., ::2] == 2 * planes).all() and (wide[..., 1::2] == -1).all()
    # Elements that lie askew are copied.
    askew = numpy.frombuffer(b"x" + planes.tobytes(), numpy.uint8)[1:].view(numpy.float32).reshape(planes.shape)
    assert not askew.flags.aligned and not session.run(picture, askew).difference.any()


def test_what_is_refused():
    picture, planes = pictures(2)
    session = pixels.Session(max_batch=2)
    run = session.run
    with pytest.raises(TypeError, match="input 'picture' has elements of float32, expected uint8"):
        run(picture.astype(numpy.float32), planes)
    with pytest.raises(TypeError, match="input 'planes' is a list, expected a numpy.ndarray of float32"):
        run(picture, planes.tolist())
    with pytest.raises(ValueError, match=r"input 'planes' has the shape \(2, 4, 6, 3\), expected \(N, 3, 4, 6\)"):
        run(picture, planes.transpose(0, 2, 3, 1))
    with pytest.raises(ValueError, match="input 'planes' has a batch of 1, expected 2"):
        run(picture, planes[:1])
    with pytest.raises(ValueError, match="a batch of 3, but the session was made for 1 to 2"):
        run(*pictures(3))
    with pytest.raises(ValueError, match="a batch of 0"):
        run(*pictures(0))
    with pytest.raises(TypeError, match="missing: planes"):
        run(picture)
    with pytest.raises(TypeError, match="there is no argument 'image'; there are picture, planes"):
        run(image=picture)
    with pytest.raises(TypeError, match="'picture' is given twice"):
        run(picture, picture=picture)
    with pytest.raises(TypeError, match="3 arguments, expected at most 2"):
        run(picture, planes, planes)
    outputs = run(picture, planes)
    with pytest.raises(ValueError, match="output 'sharp' overlaps an input"):
        session.run_into(outputs._replace(sharp=planes), picture, planes)
    with pytest.raises(ValueError, match="output 'twice' has a batch of 1, expected 2"):
        session.run_into(outputs._replace(twice=outputs.twice[:1]), picture, planes)
    outputs.sharp.flags.writeable = False
    with pytest.raises(ValueError, match="output 'sharp' cannot be written"):
        session.run_into(outputs, picture, planes)
    with pytest.raises(pixels.Error, match="threads") as refused:
        pixels.Session(threads=1000)
    assert refused.value.code == 14
    with pytest.raises(heavy.Error, match="weights"):
        heavy.Model(weights="/nonexistent")


def test_other_threads_run_meanwhile():
    images = numpy.random.default_rng(1).standard_normal((16, 8, 96, 96), numpy.float32)
    session = heavy.Session(max_batch=16)
    session.run(images)
    span, ticks, refused = [], [], []

    def compute():
        span.append(time.perf_counter())
        session.run(images)
        span.append(time.perf_counter())

    thread = threading.Thread(target=compute)
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
        if len(span) == 1 and len(ticks) % 100 == 0:
            try:
                session.run(images)
            except RuntimeError as error:
                refused.append(str(error))
        time.sleep(0)
    thread.join()
    begin, end = span
    middle = [tick for tick in ticks if begin + 0.2 * (end - begin) < tick < begin + 0.8 * (end - begin)]
    assert len(middle) > 2, "no other thread ran while the library computed"
    assert not refused or "in use by another thread" in refused[0]


def test_sessions_on_many_threads_agree():
    images = numpy.random.default_rng(2).standard_normal((2, 8, 96, 96), numpy.float32)
    model = heavy.Model()
    wanted = heavy.Session(model, max_batch=2).run(images).output
    results = [None] * 8

    def compute(index):
        session = heavy.Session(model, max_batch=2)
        results[index] = [session.run(images).output for _ in range(3)]

    threads = [threading.Thread(target=compute, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((output == wanted).all() for result in results for output in result)


def test_training():
    bits = numpy.array([[0, 0], [0, 1], [1, 0], [1, 1]], numpy.float32)
    labels = numpy.array([[0], [1], [1], [0]], numpy.float32)
    arguments = {field: bits if tensor.shape == (2,) else labels for field, tensor in xor_step.INPUTS.items()}
    hyper = {field: 0.1 if tensor.dtype.kind == "f" else 0 for field, tensor in xor_step.HYPER.items()}
    state = xor_step.State()
    first = {name: state[name].copy() for name in state.keys()}
    session = xor_step.Session(state=state, max_batch=4)
    losses = [float(session.step(**arguments, **hyper)[0].ravel()[0]) for _ in range(400)]
    assert losses[-1] < losses[0] / 2
    assert any((state[name] != first[name]).any() for name in state.keys())
    # From the same state come the same bits.
    again = xor_step.State()
    other = xor_step.Session(state=again, max_batch=4, threads=2)
    for _ in range(400):
        other.step(**arguments, **hyper)
    assert all((state[name] == again[name]).all() for name in state.keys())
    name = next(iter(hyper))
    with pytest.raises(TypeError, match="'%s' is a str, expected a number" % name):
        session.step(**arguments, **{**hyper, name: "fast"})
