"""The official asynchronous Python SDK, unmodified."""
import asyncio

from e2b import CommandExitException
from e2b_code_interpreter import AsyncSandbox


async def main():
    sbx = await AsyncSandbox.create(timeout=300)
    execution = await sbx.run_code("print('hi'); 40 + 2")
    assert execution.text == "42" and execution.logs.stdout == ["hi\n"]
    assert (await sbx.run_code("1/0")).error.name == "ZeroDivisionError"
    # Two commands and two contexts at once.
    first, second = await asyncio.gather(sbx.commands.run("sleep 0.3; echo 1"), sbx.commands.run("echo 2"))
    assert (first.stdout, second.stdout) == ("1\n", "2\n")
    context = await sbx.create_code_context()
    slow, quick = await asyncio.gather(
        sbx.run_code("import time; time.sleep(0.5); 's'"), sbx.run_code("'q'", context=context))
    assert (slow.text, quick.text) == ("'s'", "'q'")
    # Calls of one context wait for each other.
    counted = await asyncio.gather(*(sbx.run_code(f"import time; time.sleep(0.05); {n}") for n in range(5)))
    assert [int(execution.text) for execution in counted] == list(range(5))
    handle = await sbx.commands.run("cat", background=True, stdin=True)
    await sbx.commands.send_stdin(handle.pid, "typed\n")
    await sbx.commands.close_stdin(handle.pid)
    assert (await handle.wait()).stdout == "typed\n"
    try:
        await sbx.commands.run("exit 4")
        raise AssertionError("nothing was raised")
    except CommandExitException as error:
        assert error.exit_code == 4
    await sbx.files.write("x/y.txt", "z")
    assert await sbx.files.read("x/y.txt") == "z"
    assert [entry.name for entry in await sbx.files.list("x")] == ["y.txt"]
    seen = asyncio.Event()
    watch = await sbx.files.watch_dir("x", on_event=lambda event: seen.set() if event.name == "n" else None)
    await sbx.files.write("x/n", "1")
    await asyncio.wait_for(seen.wait(), 20)
    await watch.stop()
    # A call that its caller gives up is interrupted.
    call = asyncio.create_task(sbx.run_code("import time; kept = 1\nwhile True: time.sleep(0.01)"))
    await asyncio.sleep(1)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (await sbx.run_code("kept", timeout=20)).text == "1"
    # Many sandboxes at once.
    many = await asyncio.gather(*(AsyncSandbox.create(timeout=120) for _ in range(20)))
    told = await asyncio.gather(*(one.run_code(f"print({n})") for n, one in enumerate(many)))
    assert [execution.logs.stdout for execution in told] == [[f"{n}\n"] for n in range(20)]
    assert all(await asyncio.gather(*(one.kill() for one in many)))
    assert await sbx.kill()
    print("all of it ran")


asyncio.run(main())
