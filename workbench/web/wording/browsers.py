"""Browsers in people's words, from what a browser says of itself."""

from workbench.web.wording.i18n import N_, _

# In this order: most browsers name others whose pages they want to be sent as well.
BROWSERS = (
    ("MicroMessenger/", N_("WeChat")),
    ("DingTalk/", N_("DingTalk")),
    ("QQBrowser/", N_("QQ Browser")),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("HarmonyOS", "HarmonyOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_word(user_agent: str) -> str:
    """Of a User-Agent header: "Firefox on Windows"."""
    browser, system = (
        next((word for sign, word in signs if sign in user_agent), None) for signs in (BROWSERS, SYSTEMS)
    )
    if browser is None:
        return _("another browser")
    return (
        _(browser) if system is None else _("{browser} on {system}").format(browser=_(browser), system=system)
    )
