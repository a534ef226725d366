"""Ten posts to practise on, written for it. They follow the guidelines that new projects begin with."""

from dataclasses import dataclass

from workbench.web.wording.i18n import N_


@dataclass(frozen=True)
class Practice:
    text: str
    label: str
    why: str


POSTS = (
    Practice(
        "这破地铁又晚点二十分钟，气得我早饭都没吃，明天改骑车！",
        "normal",
        N_("A rude tone alone is no offence: this is a complaint about a train."),
    ),
    Practice(
        "出闲置显卡，九成新，要的加薇：xk2077，手慢无",
        "violation",
        N_("It sells, and leaves a way to get in touch: 加薇 stands for a messenger's name."),
    ),
    Practice(
        "家里多了两箱橙子，想要的私聊我就行",
        "suspicious",
        N_("It sells, but leaves no number, account or price code. With one it would be a violation."),
    ),
    Practice(
        "你这种人就该滚出这个论坛，看见你发帖就恶心",
        "violation",
        N_("An insult to a person's face. It needs no swear word to be one."),
    ),
    Practice(
        "哟，专家来了，大家都别说话，听他一个人讲完",
        "suspicious",
        N_("Mockery that stings the one it is meant for, without an insult: on the border."),
    ),
    Practice(
        "我就是个手残党，装个书架装反了三次，笑死",
        "normal",
        N_("Making fun of oneself is normal, whatever the words."),
    ),
    Practice(
        "他在群里骂我“废物”，我要不要截图举报？",
        "normal",
        N_("It quotes an insult to ask for help. What counts is what this post does, not the word in it."),
    ),
    Practice(
        "听说楼下那家店老板欠了一屁股债跑了，大家少去",
        "suspicious",
        N_("A rumour about somebody who can be found, without proof."),
    ),
    Practice(
        "再让我看到你一次，你家地址我可是知道的",
        "violation",
        N_("A threat, though nothing in it is rude."),
    ),
    Practice(
        "那些外地来的，素质能高到哪去",
        "suspicious",
        N_("It runs a whole group down, without a swear word and without a call to act: on the border."),
    ),
)
