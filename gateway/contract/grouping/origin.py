"""Whose code a frame is: the app's own, or that of the system and its frameworks.

What the SDK says is so; these lists decide where it says nothing.
"""

from __future__ import annotations

from gateway.contract.grouping.frame import Frame

_SYSTEM_MODULES = (
    *("android.", "androidx.", "com.android.", "dalvik.", "libcore.", "org.chromium."),
    *("java.", "javax.", "jdk.", "sun.", "kotlin.", "kotlinx."),
    *("com.google.android.gms.", "com.google.firebase.", "okhttp3.", "okio.", "retrofit2."),
    *("io.reactivex.", "rx.", "dagger.", "com.facebook.react.", "com.facebook.jni."),
    *("io.flutter.", "com.unity3d.", "UnityEngine.", "UnityEditor.", "System.", "Mono."),
)
_SYSTEM_FILES = (
    *("dart:", "package:flutter/", "package:async/", "package:stack_trace/"),
    "node:",
)
_NO_FILES = frozenset({"native", "[native code]", "<anonymous>", "InternalBytecode.js"})
_IN_SYSTEM_FILES = (
    "/node_modules/",
    "/react-native/Libraries/",
    "/webpack/runtime/",
    "/webpack/bootstrap",
    "~/react-native/",
)
_SYSTEM_PATHS = (
    *("/system/", "/apex/", "/vendor/", "/system_ext/", "/dev/ashmem", "/memfd:", "[anon"),
    *("/System/Library/", "/usr/lib/", "/private/preboot/"),
)
_SYSTEM_LIBRARIES = (
    *("libsystem_", "libswift", "libobjc", "libdispatch", "libc++", "libxpc", "libdyld", "dyld"),
    *(
        "linker",
        "app_process",
        "boot.",
        "boot-",
        "libGLES",
        "libEGL",
        "libreact",
        "libjsi",
        "libfbjni",
    ),
)
_IMAGES = (
    "AVFCore AVFoundation AttributeGraph BackBoardServices BoardServices CFNetwork CoreAnimation"
    " CoreAutoLayout CoreBluetooth CoreData CoreFoundation CoreGraphics CoreImage CoreLocation"
    " CoreMedia CoreText FileProvider Foundation FrontBoardServices GraphicsServices IOKit ImageIO"
    " JavaScriptCore MapKit MetalKit QuartzCore SceneKit SpriteKit StoreKit"
    " SwiftUI SwiftUICore UIKit UIKitCore UIFoundation WebCore WebKit hermes Flutter"
    " libandroid_runtime.so libandroid.so libart.so libbase.so libbinder.so libc.so"
    " libdl.so libflutter.so libgui.so libhermes.so libhwui.so libinput.so liblog.so libm.so"
    " libmono.so libnativehelper.so libssl.so libcrypto.so libunity.so libutils.so libvulkan.so"
    " libwebviewchromium.so libmonochrome.so libunwind.so libmain.so"
)
# How a process or an exception ends: the same calls, whatever went wrong.
_ENDS = (
    "abort raise kill tgkill pthread_kill __pthread_kill __abort_with_payload __assert __assert2"
    " __assert_rtn __cxa_throw __cxa_rethrow _Unwind_RaiseException std::terminate"
    " std::__terminate demangling_terminate_handler _objc_terminate objc_exception_throw"
    " __exceptionPreprocess __libc_fatal _assertionFailure _fatalErrorMessage"
    " swift_unexpectedError rust_panic rust_begin_unwind il2cpp_raise_exception"
    " Intrinsics.throwNpe throwUninitializedPropertyAccessException"
)
_SYSTEM_IMAGES = frozenset(_IMAGES.split())
_ENDING = frozenset(_ENDS.split())


def is_own(frame: Frame) -> bool:
    """Whether the frame is of the app's own code."""
    if frame.in_app is not None:
        return frame.in_app
    if not (frame.function or frame.offset or frame.file):
        return False
    if frame.module.startswith(_SYSTEM_MODULES) or f"{frame.module}." in _SYSTEM_MODULES:
        return False
    file = frame.file
    if file in _NO_FILES or file.startswith(_SYSTEM_FILES):
        return False
    if any(one in file for one in _IN_SYSTEM_FILES):
        return False
    image = frame.image or frame.module
    if image.startswith(_SYSTEM_PATHS):
        return False
    name = image.rpartition("/")[2]
    return name not in _SYSTEM_IMAGES and not name.startswith(_SYSTEM_LIBRARIES)


def ends_a_process(frame: Frame) -> bool:
    return frame.function.partition("(")[0] in _ENDING
