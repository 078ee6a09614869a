"""An older official Python SDK, which makes sandboxes by an older address."""
from e2b import Sandbox

sbx = Sandbox.create(timeout=120)
assert sbx.commands.run("echo hi").stdout == "hi\n"
sbx.files.write("a/b", "c")
assert sbx.files.read("a/b") == "c" and [entry.name for entry in sbx.files.list("a")] == ["b"]
assert sbx.files.make_dir("d") is True and sbx.files.make_dir("d") is False
sbx.set_timeout(60)
assert Sandbox.connect(sbx.sandbox_id).commands.run("cat a/b").stdout == "c"
assert sbx.kill() is True and sbx.kill() is False
print("all of it ran")
