"""What a frame is called, whichever build and run wrote it down.

A closure counts as the function that has it, and so does everything else that a compiler makes of
one function: state machines of coroutines, accessors with defaults, specialised copies. Calls that
exist only to reach another one have no name here. Overloads are one function.
"""

from __future__ import annotations

import re

from msgspec import Struct

from gateway.contract.grouping import mangled
from gateway.contract.grouping.frame import Frame

MAX_NAME_LENGTH = 300  # characters of a name that are looked at
UNNAMED = "?"

_trampoline = re.compile(
    r"\$\$(?:External|Internal)Synthetic|\$\$Lambda|^-\$\$|^access\$|^thunk for "
    r"|^reabstraction thunk|^<asynchronous suspension>|^asyncGeneratorStep$|^_asyncToGenerator$"
    r"|^tryCatch$|^\(wrapper |^jdk\.internal\.reflect\.|^java\.lang\.reflect\.|^jdk\.proxy"
)
_prefixes = re.compile(
    r"(?:closure #\d+ .{0,200}?in |partial apply (?:forwarder )?(?:for )?|specialized |merged "
    r"|@objc |@nonobjc |static |implicit |function signature specialization .{0,60}? of "
    r"|generic specialization .{0,60}? of |protocol witness for |dispatch thunk of |async |new "
    r"|\(\d+\) (?:await resume|suspend resume) partial function for |void |virtual |defer #\d+ in )"
)
_objc = re.compile(r"[-+]\[[^\]]{1,400}\]?")
_category = re.compile(r"\([^)]*\)")
_csharp = re.compile(r"<([^<>]{1,200})>[a-z]__[A-Za-z0-9_|]*")  # <Open>b__0: a closure in Open
_csharp_class = re.compile(r"<>c(?:__DisplayClass[0-9_]+)?")
_arity = re.compile(r"`[0-9]+")
_il2cpp = re.compile(r"_m[0-9A-F]{8,40}(?:_.{0,100})?$")
_closure = re.compile(
    r"<anonymous closure>|<anonymous>|<fn>|\{\{closure\}\}|\{closure[^}]{0,50}\}"
    r"|\{lambda[^}]{0,200}\}|'lambda[0-9]*'|\$_[0-9]+|\(anonymous namespace\)::"
    r"|\[clone [^\]]{0,50}\]|\[abi:[^\]]{0,50}\]"
)
_made = re.compile(  # at the end of a function: what a compiler adds
    r"(?:\.(?:cold|llvm|isra|part|constprop|lto_priv|resume|destroy|getter|setter|modify|read|willset"
    r"|didset)(?:\.[0-9a-f]+)*|@plt|@@.{0,50}|\+0x[0-9a-fA-F]+|-impl|-[A-Za-z0-9_-]{7})$"
)
_rust_hash = re.compile(r"::h[0-9a-f]{16}$")
_private_key = re.compile(r"@[0-9]+")  # Dart's: _Cart@123456.open
_regenerator = re.compile(r"^\?anon_[0-9]+_|^_callee[0-9]*\$?$")
_receiver = re.compile(r"^(?:Object|Function|Module|exports|module\.exports|_this[0-9]*|global)\.")
_hex = re.compile(r"[0-9a-f]{8,}|0x[0-9a-fA-F]+")
_digit = re.compile(r"[0-9]")
_dots = re.compile(r"\.{2,}")
_script = re.compile(r"\.(?:m?js|cjs|jsx|tsx?|bundle|jsbundle|hbc)$")
_file_hash = re.compile(r"[.\-_](?=[0-9a-f]*[0-9])[0-9a-f]{6,40}(?=[.\-_])")
_file_word = re.compile(r"[.\-](?=[A-Za-z0-9_]*[A-Z0-9])[A-Za-z0-9_]{8}(?=\.[a-z]+$)")
_anonymous = frozenset({"", "?", "anonymous", "eval", "<unknown>", "??", "(anonymous)"})
_bundles = frozenset({"index.android.bundle", "main.jsbundle", "index.ios.bundle", "index.bundle"})


class Name(Struct, frozen=True, gc=False):
    """`tells` is false where a frame says no more than the file that it lies in."""

    text: str
    tells: bool


def name_of(frame: Frame) -> Name | None:
    """What the frame is called; None for a call that leads to another one only."""
    module, function = frame.module[:MAX_NAME_LENGTH], frame.function[:MAX_NAME_LENGTH]
    if _trampoline.search(function) or _trampoline.search(module):
        return None
    if not function and frame.offset:
        return Name(f"{_file(frame.where)}:+{frame.offset[:20]}", tells=True)
    where, inner = _class(module) if module else ("", "")
    name = inner or plain_function(function, frame.image or module)
    if not where:
        where = _file((frame.image or frame.file)[:MAX_NAME_LENGTH])
    if name in _anonymous:
        return Name(f"{where}:{UNNAMED}", tells=False)
    return Name(f"{where}:{name}", tells=True)


def _class(text: str) -> tuple[str, str]:
    """A class or module without its generated parts, and the function that it was made for."""
    if "/" in text or _script.search(text):
        return _file(text), ""
    text, inner = _csharp_names(text)
    outer = text.partition("$$")[0]
    package, dot, last = outer.rpartition(".")
    head, *parts = last.split("$")
    kept = [head]
    for place, part in enumerate(parts):
        if part.isdecimal() or part == "":
            continue  # an anonymous class is its outer one's
        is_function = (
            part[0].islower()
            and len(part) > 2
            and any(one.isdecimal() for one in parts[place + 1 :])
        )
        if is_function and head:
            inner = part
            break
        if part not in ("DefaultImpls",):
            kept.append(part)
    return f"{package}{dot}{'$'.join(kept)}", inner


def _csharp_names(text: str) -> tuple[str, str]:
    """`Cart+<Load>d__5` as (Cart, Load)."""
    if "<" not in text and "+" not in text and "`" not in text:
        return text, ""
    match = _csharp.search(text)
    bare = _arity.sub("", _csharp_class.sub("", _csharp.sub("", text)))
    return bare.replace("+", ".").strip("./:").replace("..", "."), match[1] if match else ""


def plain_function(text: str, image: str = "") -> str:
    """A function's name without closures, arguments, and what builds add to it."""
    if text in ("<init>", "<clinit>"):
        return text
    objc = _objc.search(text)
    if objc is not None:
        return _category.sub("", objc[0])
    path = mangled.read(text.partition(" ")[0])
    if path is not None:
        return ".".join(path)
    for _ in range(5):
        match = _prefixes.match(text)
        if match is None:
            break
        text = text[match.end() :]
    text = text.removeprefix(f"{image.rpartition('/')[2]}.") if image else text
    text = _csharp.sub(r"\1", text.replace("U3C", "<").replace("U3E", ">"))
    text = _closure.sub("", _il2cpp.sub("", text.partition(" [as ")[0]))
    text = _without_arguments(text.replace("::operator()", "").partition(" : ")[0])
    text = _rust_hash.sub("", _made.sub("", text.strip()))
    if text.startswith("lambda$"):
        text = text[len("lambda$") :]
    text = text.partition("$")[0] or text  # bar$default, bar$lambda$3, bar$app_release
    text = _receiver.sub("", _regenerator.sub("", _private_key.sub("", text)))
    text = _hex.sub(_unless_a_word, text).replace("::", ".")
    return _dots.sub(".", text).strip(" .:")


def _unless_a_word(match: re.Match[str]) -> str:
    return "" if _digit.search(match[0]) else match[0]


def _without_arguments(text: str) -> str:
    """Cut at the arguments; leave out what stands in angle brackets, however deep."""
    if "<" not in text and "(" not in text:
        return text
    kept: list[str] = []
    depth = 0
    for letter in text:
        if letter == "(" and depth == 0 and kept:
            break
        if letter == "<":
            depth += 1
        elif letter == ">" and depth:
            depth -= 1
        elif depth == 0:
            kept.append(letter)
    name = "".join(kept).strip()
    return name.rpartition(" ")[2] if "::" in name else name  # C++ says first what it returns


def _file(path: str) -> str:
    """A file's own name without the hash of its contents; a bundle is the whole app: no name."""
    name = path.partition("?")[0].partition("#")[0].replace("\\", "/").rpartition("/")[2]
    if not _script.search(name):
        return name
    name = _file_word.sub("", _file_hash.sub("", name))
    return "" if name in _bundles else name
