"""An older official Python SDK, which makes sandboxes by an older address."""
from e2b_code_interpreter import Sandbox

sbx = Sandbox.create(timeout=120)
assert sbx.run_code("x = 1; x + 1").text == "2"
assert sbx.run_code("x").text == "1"
assert sbx.commands.run("echo hi").stdout == "hi\n"
sbx.files.write("a/b", "c")
assert sbx.files.read("a/b") == "c" and [entry.name for entry in sbx.files.list("a")] == ["b"]
assert sbx.files.make_dir("d") is True and sbx.files.make_dir("d") is False
sbx.set_timeout(60)
assert Sandbox.connect(sbx.sandbox_id).run_code("x").text == "1"
assert sbx.kill() is True and sbx.kill() is False
print("all of it ran")
