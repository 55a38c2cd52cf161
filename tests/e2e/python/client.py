"""docker-py towards davitd: pull, run, ps, exec, logs, stop, rm. Argument: an image with a shell."""

import sys

import docker
from docker.errors import ContainerError, ImageNotFound, NotFound


def want(what, got, expected):
    """Ends the program where something is not as it must be."""
    if got != expected:
        sys.exit(f"{what}: want {expected!r}, got {got!r}")


def main(image):
    client = docker.from_env(timeout=30)
    want("ping", client.ping(), True)
    name, tag = image.rsplit(":", 1)
    try:
        client.images.get(image)
        sys.exit("the image is there before it was pulled")
    except ImageNotFound:
        pass
    want("pull", client.images.pull(name, tag=tag).tags, [image])

    want("run", client.containers.run(image, ["echo", "hello"], remove=True), b"hello\n")
    for _ in range(5):
        try:
            client.containers.run(image, ["sh", "-c", "sleep 0.1; exit 7"])
            sys.exit("a run that fails raised nothing")
        except ContainerError as e:
            want("the status of a run that fails", e.exit_status, 7)
            e.container.remove()

    script = "echo started; trap 'echo term; exit 0' TERM; while :; do sleep 0.1; done"
    one = client.containers.run(image, ["sh", "-c", script], detach=True, name="one", labels={"k": "v"})
    listed = client.containers.list(filters={"label": "k=v"})
    want("ps", [(c.id, c.name, c.status) for c in listed], [(one.id, "one", "running")])
    followed = one.logs(stream=True, follow=True)
    want("the first line of the log", next(followed), b"started\n")
    # docker-py reads the answer's head through a buffer, then the stream past it from the bare socket: what comes so soon
    # that it is in the buffer with the head is lost to it, with every daemon. So the commands begin a moment later.
    want("exec", tuple(one.exec_run(["sh", "-c", "sleep 0.3; echo $A; exit 9"], environment={"A": "b"})), (9, b"b\n"))
    streams = one.exec_run(["sh", "-c", "sleep 0.3; echo out; echo err >&2"], demux=True)
    want("exec's streams", streams.output, (b"out\n", b"err\n"))
    one.stop(timeout=20)
    want("the rest of the log", b"".join(followed), b"term\n")
    want("wait", one.wait()["StatusCode"], 0)
    one.reload()
    want("status", one.status, "exited")
    one.remove()
    try:
        client.containers.get("one")
        sys.exit("a removed container is still there")
    except NotFound:
        pass
    print("all as expected")


main(sys.argv[1])
