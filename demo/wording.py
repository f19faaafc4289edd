# ruff: noqa: E501
"""The sentences that notes are written from, as data: English first, Chinese second in every pair.

Slots: {name} what the note is about, {point} what is praised about it, and one of {style} {material} {scene}
{audience} {price} {brand}. Nothing here names a colour, a pattern or a cut.
"""

from __future__ import annotations

TITLES = (
    (
        "My honest take on this {name}", "Finally found a {name} I love", "{name}: one month later", "Is this {name} worth it?",
        "The {name} everyone asked me about", "Unboxing my new {name}", "Don't buy a {name} before reading this", "A {name} that just works",
        "Three things about my {name}", "Small joys: my {name}",
        "Which {name} should you get?", "I tried a {name} so you don't have to", "Notes after 30 days with a {name}", "Okay, the {name} hype is real", "{name} diary, part one",
        "My {name} has a story",
    ),
    (
        "这款{name}我真的会回购", "终于找到本命{name}", "{name}用了一个月的真实感受", "这个{name}到底值不值", "被问爆的{name}来了",
        "开箱我的新{name}", "买{name}之前先看这篇", "不踩雷的{name}分享", "关于{name}的三个真相", "幸福感小物：{name}",
        "{name}怎么选？看这篇就够", "替你们试了这款{name}", "三十天{name}使用报告", "{name}是真的香", "我的{name}日记之一", "说说我和{name}的故事",
    ),
)
TITLES_WITH = {
    "style": (("A truly {style} {name}", "{style} {name}, tested", "Going {style}: my {name}"), ("{style}感拉满的{name}", "{style}{name}实测", "入坑{style}，从{name}开始")),
    "material": (("{name} in {material}? Yes please", "Why I chose {material} for my {name}"), ("{material}做的{name}有多香", "为什么我选{material}的{name}")),
    "scene": (("The {name} for {scene}", "{scene} sorted: this {name}"), ("{scene}就靠这个{name}", "{scene}必备{name}")),
    "audience": (("{name} for {audience}, a short guide", "Dear {audience}, try this {name}"), ("{audience}看过来！{name}攻略", "给{audience}的{name}推荐")),
    "price": (("A {price} {name}, compared", "Best {price} {name} this year"), ("{price}{name}横评", "今年最好的{price}{name}")),
    "brand": (("{brand} {name} review", "Two weeks with the {brand} {name}"), ("{brand}{name}测评", "{brand}的{name}用了两周")),
}
OPENERS = (
    (
        "I kept putting off buying a {name}, and now I wonder why.", "A friend brought her {name} over and I ordered one the same night.",
        "After three returns I finally kept a {name}.", "My old {name} gave up last week, so here we are.", "Long post, but I promised you the {name} story.",
        "You know how many {name} tabs I had open?", "I have used this {name} nearly every day since it arrived.", "Nobody paid me for this, I simply like my {name}.",
        "Let me save you an evening of research on the right {name}.", "I did not expect to write about a {name} today.",
        "It started with a broken zip and ended with a {name}.", "Every list online says something different about a {name}, so here is mine.", "Two birthdays, one {name}, no regrets.",
        "My {name} came on a Monday and saved the week.", "First the short version: get the {name}.", "I borrowed a {name} for a week before buying one.",
    ),
    (
        "拖了好久才买{name}，现在只后悔没早买。", "朋友带了她的{name}来我家，当晚我就下单了。", "退了三次货，终于留下了这个{name}。", "旧的{name}上周坏了，于是有了这一篇。",
        "答应你们的{name}长文来了。", "为了挑{name}我看了不下二十篇测评。", "到手之后几乎每天都在用这个{name}。", "没有广告，单纯喜欢这个{name}。",
        "帮大家省一晚上做功课，{name}直接看这里。", "没想到今天会写一篇关于{name}的笔记。",
        "网上关于{name}的说法太多，我说说自己的。", "周一收到{name}，救了我一整周。", "先说结论：{name}可以冲。", "借朋友的{name}用了一周才决定买。", "生日收到了{name}，开心到转圈。", "从种草{name}到下单，只用了一个晚上。",
    ),
)
SENTENCES = {
    "style": (
        ("The whole thing reads very {style}, in a good way.", "If you are into the {style} look, stop scrolling.", "It leans {style} without trying too hard.", "Call it {style} if you like; I call it mine.", "It fits right in with my {style} phase.", "Somebody called it very {style} and I took it as praise.", "There is a {style} mood about it that I cannot explain.", "Finally something {style} that is not overpriced for what it is."),
        ("整体是很{style}的感觉，懂的都懂。", "喜欢{style}的姐妹可以停一下。", "走的是{style}路线，但不会用力过猛。", "说它{style}也好，反正我很爱。", "和我最近迷的{style}完全搭。", "有人说它太{style}了，我当夸奖收下。", "说不上来，就是有种{style}的氛围。", "终于有一款{style}又不贵得离谱的。"),
    ),
    "material": (
        ("The {material} feels better than the photos suggest.", "It comes with {material}, which was the deciding factor.", "I read a lot about {material} first and it holds up.", "You can tell there is real {material} in it.", "People argue about {material}; I am on team yes.", "Once you have tried {material}, there is no way back.", "The label says {material} and I believe it.", "I was unsure about {material} at first."),
        ("{material}的质感比图里还好。", "因为是{material}才下定决心的。", "查了很多关于{material}的资料，确实靠谱。", "能感觉到是真的用了{material}。", "关于{material}争议很多，反正我站支持。", "用过{material}就回不去了。", "标签上写着{material}，用下来我信。", "一开始对{material}还有点犹豫。"),
    ),
    "scene": (
        ("Perfect for {scene}, which is most of my life.", "I mostly reach for it for {scene}.", "It has already survived {scene}.", "Bought it for {scene}, now it is everywhere with me.", "If {scene} sound like you, put it on the list.", "Think of {scene} and you know what I mean.", "It made {scene} a lot easier.", "Where does it shine? For me, {scene}."),
        ("特别适合{scene}，基本就是我的日常。", "我主要是{scene}的时候用。", "已经经历过{scene}的考验。", "本来是为了{scene}买的，现在天天用。", "经常{scene}的话可以放进清单。", "想象一下{scene}，你就懂了。", "有了它，{scene}轻松多了。", "最适合的场合？我觉得是{scene}。"),
    ),
    "audience": (
        ("I would hand it to {audience} without a second thought.", "It was clearly made with {audience} in mind.", "{audience} will get the most out of it.", "My group chat of {audience} approved it at once.", "Not just for {audience}, but they will notice first.", "A word to {audience}: this is the easy choice.", "If you shop for {audience}, start here.", "I showed it to {audience} and nobody complained."),
        ("{audience}可以闭眼入。", "一看就是为{audience}设计的。", "{audience}用起来最有感觉。", "我们{audience}小群一致通过。", "不只是{audience}，但{audience}一定最懂。", "{audience}听我一句，选它最省心。", "给{audience}买的话从这款开始看。", "问过几位{audience}，没有一个吐槽。"),
    ),
    "price": (
        ("It sits firmly in the {price} range.", "For something {price}, the finish surprised me.", "Price check: {price}, and it shows where it should.", "I went {price} this time and have no regrets.", "Not the cheapest, not the dearest: call it {price}.", "If your wallet says {price}, this is the one to look at.", "I usually avoid {price} things, this changed my mind.", "Honestly the best {price} find of the season."),
        ("价格属于{price}这一档。", "作为{price}款，做工让我惊喜。", "价位{price}，钱花在了刀刃上。", "这次选了{price}的，不后悔。", "预算{price}的朋友可以重点看。", "平时很少碰{price}的，这次真香。", "算是今年{price}里最好的发现。", "同样是{price}，它明显更用心。"),
    ),
    "brand": (
        ("{brand} has quietly become my default.", "Mine is the one from {brand}.", "This is my second thing by {brand} and the care shows.", "I wrote to {brand} with a question and got an answer in an hour.", "People sleep on {brand}.", "It says {brand} on the tag, in case you wonder.", "I was between two makers and went with {brand}."),
        ("{brand}已经默默成了我的首选。", "我买的是{brand}家的。", "这是我的第二件{brand}，细节很用心。", "问了{brand}客服一个问题，一小时就回复了。", "{brand}真的被低估了。", "有人问牌子：{brand}。", "两家纠结了很久，最后选了{brand}。"),
    ),
}
POINTS = (
    ("Best of all, it {point}.", "It really {point}.", "What sold me: it {point}.", "Also, it {point}, which I did not believe at first.", "Day three and it still {point}.", "Hard to believe, but it {point}.", "Reviews said it {point}, and they were right.", "My favourite part? It {point}."),
    ("最惊喜的是，{point}。", "真的{point}。", "打动我的一点：{point}。", "而且{point}，一开始我还不信。", "重点来了，{point}。", "评论都说{point}，果然没骗人。", "我最喜欢的是{point}。", "说出来你可能不信，{point}。"),
)
FILLERS = (
    (
        "Delivery took four days and the box was fine.", "My sister tried to steal it twice.", "I am not an expert, just picky.", "There is a small scratch on the underside, nothing serious.",
        "The manual is useless, skip it.", "I compared five others in the shop before deciding.", "Ask me anything below and I will answer tonight.", "The only thing I would change is the packaging.",
        "Took the photos in bad weather, sorry.", "It went on sale a day after I paid, of course.", "I wrote down what I noticed every evening.", "Yes, the neighbours have asked about it too.", "I have no photos of the inside, sorry.", "The shop sent a handwritten card, which was sweet.", "My partner was sceptical until day two.",
        "Shipping costs hurt a little.", "I keep the box, just in case.", "It took me a week to form an opinion.", "Somewhere in the middle of this I ran out of tea.", "I would not queue for it, but I would walk.",
    ),
    (
        "快递四天到，包装完好。", "我妹已经试图顺走两次了。", "我不是专家，只是比较挑。", "底部有一点小划痕，不影响。", "说明书没什么用，可以跳过。", "下单前在店里对比了五款。",
        "有问题评论区问我，晚上统一回。", "唯一想吐槽的是包装。", "阴天拍的图，凑合看。", "我刚付完款第二天就打折了，果然。", "每天晚上都记了使用感受。", "连邻居都来问链接了。", "店家还送了手写卡片，很暖。", "对象一开始不看好，第二天就真香了。", "运费有点肉疼。", "盒子我还留着，以防万一。", "写到一半茶都凉了。", "让我排队不至于，走两站路还是愿意的。",
    ),
)
CLOSERS = (
    ("Would I buy it again? In a heartbeat.", "That's all, save it for later.", "Four and a half stars from me.", "Tell me what you use instead.", "Happy with it, simple as that.", "Thanks for reading to the end.", "Follow along for the six-month update.", "Five stars, no notes.", "Questions? I read every comment.", "Let me know if it works for you."),
    ("会回购吗？会。", "就写到这里，先收藏再说。", "给四星半。", "你们都用什么，评论区聊聊。", "总之很满意。", "谢谢看到最后。", "半年后再来更新。", "五星好评。", "评论我都会看。", "希望对你有用。", "喜欢的话点个赞再走。"),
)
EMOJI = ("✨", "🌿", "😍", "👍", "🔥", "🙌", "💡", "😂", "☕", "🎒", "🎉", "📌")
HASHTAGS = (
    ("haul", "review", "worthit", "DailyFinds", "honest_review", "recommendations", "thingsilove"),
    ("好物分享", "测评", "真实分享", "种草", "我的日常", "值得买", "干货分享"),
)
EMPTY_BODIES = ("", " ", ".", "…", "🙂")
SLOTS = ("style", "material", "scene", "audience", "price", "brand")  # the columns of Notes.mentions, in order
