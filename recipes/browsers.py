"""Chromium and Firefox without a screen, driven over the protocols that they speak themselves.

Chromium speaks its DevTools protocol and Firefox WebDriver BiDi, both over a websocket.
Neither needs a package or a driver of its own.
"""

import base64
import contextlib
import json
import shutil
import subprocess
import time
from pathlib import Path

from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
SECONDS = 60
_CHROMIUM_FLAGS = (
    *("--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic", "--disable-gpu"),
    *("--remote-debugging-port=0", "--hide-scrollbars", "--mute-audio"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_FIREFOX_PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "network.proxy.type": 1,  # to nobody: only this machine is reached
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1",
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.normandy.enabled": False,
    "browser.download.folderList": 2,  # where browser.download.dir says, without questions
    "browser.download.alwaysOpenPanel": False,
    "browser.download.always_ask_before_handling_new_types": False,
}
KEYS = {"Space": " ", "Tab": "\ue004", "Enter": "\ue006", "Home": "\ue011", "End": "\ue010",
        "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014",
        "ArrowDown": "\ue015"}  # fmt: skip
"""By the names of KeyboardEvent.code, as WebDriver has them."""
_CODES = {"Space": 32, "Tab": 9, "Enter": 13, "Home": 36, "End": 35,
          "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}  # fmt: skip


class _Link:
    """Commands with numbers, their answers, and what else is told."""

    def __init__(self, address):
        self.socket = connect(address, max_size=None, open_timeout=SECONDS)
        self.number, self.events = 0, []

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        session = parameters.pop("session", None)
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            said = json.loads(self.socket.recv(timeout=SECONDS))
            if said.get("id") != self.number:
                self.events.append(said)
                continue
            assert "error" not in said, said
            return said["result"]


def _until(browser, script, seconds=SECONDS):
    """Wait until an expression is true, and give its value."""
    end = time.monotonic() + seconds
    while not (value := browser.run(script)):
        seen = browser.run("document.body ? document.body.innerText : ''") or ""
        assert time.monotonic() < end, f"never: {script}\n{seen[:2000]}"
        time.sleep(0.05)
    return value


class Chromium:
    """A page in Chromium."""

    name = "chromium"
    until = _until

    def __init__(self, address, downloads):
        self.link, self.downloads = _Link(address), downloads
        self.link.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        target = self.link.ask("Target.createTarget", url="about:blank")["targetId"]
        told = self.link.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = told["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log"):
            self._ask(f"{domain}.enable")

    def _ask(self, method, **parameters):
        return self.link.ask(method, **parameters, session=self.session)

    def open(self, address):
        self._ask("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script):
        """The value of an expression, awaited."""
        told = self._ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True,
            userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def press(self, key):
        named = {"key": KEYS[key] if key == "Space" else key, "code": key}
        named["windowsVirtualKeyCode"] = _CODES[key]
        text = {"Space": " ", "Enter": "\r"}.get(key)
        named |= {"text": text} if text else {}
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, **named)

    def give(self, selector, path):
        root = self._ask("DOM.getDocument")["root"]["nodeId"]
        node = self._ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def resize(self, width, height, *, dark=False):
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme, still])

    def photograph(self, path, *, whole=False):
        shot = self._ask("Page.captureScreenshot", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    def complaints(self):
        """What the console and the log have of errors."""
        self.run("1")
        return [
            str(each["params"])
            for each in self.link.events
            if each["method"] == "Runtime.exceptionThrown"
            or (each["method"] == "Log.entryAdded" and each["params"]["entry"]["level"] != "info")
            or (
                each["method"] == "Runtime.consoleAPICalled"
                and each["params"]["type"] in ("error", "assert")
            )
        ]


class Firefox:
    """A page in Firefox."""

    name = "firefox"
    until = _until

    def __init__(self, address, downloads):
        self.link, self.downloads = _Link(f"{address}/session"), downloads
        self.link.ask("session.new", capabilities={})
        self.link.ask("session.subscribe", events=["log.entryAdded"])
        # The first window of a Firefox without a screen never has the focus.
        self.context = self.link.ask("browsingContext.create", type="window")["context"]
        self.until("document.hasFocus()")

    def open(self, address):
        self.link.ask(
            "browsingContext.navigate", context=self.context, url=address, wait="complete"
        )
        self.link.ask("browsingContext.activate", context=self.context)  # Tab may have left it

    def run(self, script):
        """The value of an expression, awaited."""
        told = self.link.ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({script})) ?? null))()",
            target={"context": self.context}, awaitPromise=True, userActivation=True,
        )  # fmt: skip
        assert told["type"] == "success", told
        return json.loads(told["result"]["value"])

    def press(self, key):
        actions = [{"type": kind, "value": KEYS[key]} for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self.link.ask("input.performActions", context=self.context, actions=[keyboard])

    def give(self, selector, path):
        found = self.link.ask(
            "browsingContext.locateNodes",
            context=self.context, locator={"type": "css", "value": selector},
        )  # fmt: skip
        element = {"sharedId": found["nodes"][0]["sharedId"]}
        self.link.ask("input.setFiles", context=self.context, element=element, files=[str(path)])

    def resize(self, width, height):
        size = {"width": width, "height": height}
        self.link.ask("browsingContext.setViewport", context=self.context, viewport=size)

    def photograph(self, path, *, whole=False):
        origin = "document" if whole else "viewport"
        shot = self.link.ask(
            "browsingContext.captureScreenshot", context=self.context, origin=origin
        )
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    def complaints(self):
        """What the console has of errors."""
        self.run("1")
        return [
            str(each["params"])
            for each in self.link.events
            if each.get("method") == "log.entryAdded" and each["params"]["level"] == "error"
        ]


@contextlib.contextmanager
def browsing(name, folder, *flags):
    """A browser that runs meanwhile, with a profile in a folder of its own.

    Args:
        name: ``chromium`` or ``firefox``.
        folder: For its profile, and for what it downloads.
        flags: More of Chromium's.
    """
    profile = folder / f"profile-{name}"
    profile.mkdir()
    downloads = folder / "downloads"
    downloads.mkdir()
    if name == "chromium":
        command = (CHROMIUM, *_CHROMIUM_FLAGS, f"--user-data-dir={profile}", *flags)
        mark = "DevTools listening on "
    else:
        chosen = _FIREFOX_PREFERENCES | {"browser.download.dir": str(downloads)}
        (profile / "user.js").write_text(
            "".join(f'user_pref("{k}", {json.dumps(v)});\n' for k, v in chosen.items())
        )
        command = (FIREFOX, "--headless", "--remote-debugging-port=0", "--no-remote",
                   "--profile", str(profile))  # fmt: skip
        mark = "WebDriver BiDi listening on "
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, stdout=subprocess.DEVNULL)
    try:
        address = _address(log, mark, process)
        browser = (Chromium if name == "chromium" else Firefox)(address, downloads)
        try:
            yield browser
        finally:
            with contextlib.suppress(Exception):  # it may have crashed
                browser.link.ask("Browser.close" if name == "chromium" else "browser.close")
            browser.link.socket.close()
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _address(log, mark, process):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith(mark):
                return line.removeprefix(mark).strip()
        time.sleep(0.1)
    raise AssertionError(f"the browser did not start:\n{log.read_text(errors='replace')[-2000:]}")
