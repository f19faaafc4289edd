# ruff: noqa: E501
"""What the generated world is about, as data: categories, their dimensions and brands, fine-grained interests.

A category path holds two interests, so that the path alone never gives the interest away. No text here names a
colour, a pattern or a cut: those three are what only a picture shows. All brands are invented.
"""

from __future__ import annotations

from dataclasses import dataclass

Word = tuple[str, str]  # the same meaning in English and in Chinese

LANGUAGES = ("en", "zh")
COLOURS: tuple[Word, ...] = (
    ("red", "红色"),
    ("yellow", "黄色"),
    ("green", "绿色"),
    ("blue", "蓝色"),
    ("purple", "紫色"),
    ("black", "黑色"),
)
PATTERNS: tuple[Word, ...] = (("plain", "纯色"), ("striped", "条纹"), ("dotted", "波点"), ("checked", "格纹"))
FORMS: tuple[Word, ...] = (("classic", "标准版型"), ("slim", "修长版型"), ("wide", "宽大版型"))
PRICES: tuple[Word, ...] = (("budget", "平价"), ("mid-range", "中档"), ("premium", "高端"))
NUM_VALUES = 5  # values of every text dimension, and brands of every category


@dataclass(frozen=True)
class Dimension:
    """One aspect that the text of a note can state, with its five values."""

    name: str
    values: tuple[Word, ...]


@dataclass(frozen=True)
class Interest:
    """One fine-grained interest: what it is called, how it is drawn, what people praise about it."""

    key: str
    category: int
    path: tuple[str, ...]
    shape: str
    names: tuple[tuple[str, ...], tuple[str, ...]]
    points: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Category:
    """One top category: its name, its brands, and its four text dimensions (style, material, scene, audience)."""

    name: str
    brands: tuple[Word, ...]
    dimensions: tuple[Dimension, ...]


def _words(english: str, chinese: str) -> tuple[Word, ...]:
    return tuple(zip(english.split(", "), chinese.split("，"), strict=True))


def _dimension(name: str, english: str, chinese: str) -> Dimension:
    return Dimension(name, _words(english, chinese))


# name | brands | (dimension, values in English, values in Chinese) x 4, in the order style, material, scene, audience
_CATEGORIES = (
    (
        "Home",
        ("Nordhus, Mokuya, Linden Row, Casaforma, Paperlane", "诺德居，木屋家，菩提里，卡萨家，纸巷"),
        ("style", "minimalist, Japandi, industrial, rustic, mid-century", "极简，日式侘寂，工业风，乡村风，中古风"),
        ("material", "walnut, rattan, linen, ceramic, recycled steel", "胡桃木，藤编，亚麻，陶瓷，再生钢"),
        ("scene", "small flats, home offices, rainy weekends, open kitchens, rented rooms", "小户型，居家办公，雨天周末，开放式厨房，出租屋"),
        ("audience", "first-time renters, young couples, remote workers, big families, night owls", "租房新手，小夫妻，远程办公族，大家庭，夜猫子"),
    ),
    (
        "Fashion",
        ("Velmora, Oakstitch, Luna Atelier, Threadwell, Hanami", "薇墨，橡线，月影坊，织好，花见"),
        ("style", "streetwear, preppy, French chic, workwear, Y2K", "街头风，学院风，法式，通勤风，千禧风"),
        ("material", "organic cotton, wool, denim, corduroy, vegan leather", "有机棉，羊毛，牛仔布，灯芯绒，环保皮"),
        ("scene", "first dates, daily commutes, music festivals, campus days, office parties", "第一次约会，日常通勤，音乐节，校园日常，公司年会"),
        ("audience", "petite girls, tall women, students, new mothers, curvy figures", "小个子女生，高个子，学生党，新手妈妈，微胖身材"),
    ),
    (
        "Beauty",
        ("Florelle, Dewdrop Lab, Sanzhi, Aurelis, Kindskin", "芙罗拉，露珠实验室，三枝，奥芮，善肌"),
        ("finish", "dewy, matte, barely-there, glossy, velvet", "水光，哑光，裸妆感，亮泽，丝绒"),
        ("ingredient", "niacinamide, hyaluronic acid, squalane, vitamin C, ceramide", "烟酰胺，玻尿酸，角鲨烷，维C，神经酰胺"),
        ("scene", "winter mornings, long flights, wedding days, gym sessions, late nights", "冬天早晨，长途飞行，婚礼当天，健身之后，熬夜之后"),
        ("skin", "dry skin, oily skin, sensitive skin, mature skin, teenage skin", "干皮，油皮，敏感肌，熟龄肌，学生肌"),
    ),
    (
        "Outdoor",
        ("Ridgefox, Talus, Northbow, Yunling, Pinewake", "山脊狐，石坡，北弓，云岭，松醒"),
        ("style", "ultralight, expedition, retro camp, tactical, family", "轻量化，探险级，复古露营，战术风，家庭款"),
        ("material", "silnylon, Dyneema, ripstop polyester, waxed canvas, titanium", "涂硅尼龙，大力马，防撕裂涤纶，油蜡帆布，钛合金"),
        ("scene", "alpine ridges, lakeside weekends, beach camps, desert nights, forest trails", "高山脊线，湖边周末，海滩露营，沙漠夜晚，森林步道"),
        ("audience", "solo hikers, parents with kids, beginners, trail runners, photographers", "独行徒步者，带娃父母，新手小白，越野跑者，摄影爱好者"),
    ),
    (
        "Food",
        ("Grainfield, Mama Liu, Basil & Co, Tidepool, Honeyjar", "谷田，刘妈妈，罗勒小铺，潮池，蜜罐"),
        ("taste", "spicy, creamy, smoky, sour-sweet, savoury", "香辣，奶香，烟熏，酸甜，咸鲜"),
        ("ingredient", "sourdough, oat, sesame, seaweed, roasted butter", "酸面种，燕麦，芝麻，海苔，焦化奶油"),
        ("scene", "lazy breakfasts, office lunches, picnics, midnight cravings, holiday dinners", "周末早餐，公司午餐，野餐，深夜解馋，节日聚餐"),
        ("audience", "home bakers, busy parents, students, vegans, gym goers", "烘焙爱好者，忙碌父母，宿舍党，素食者，健身人群"),
    ),
    (
        "Digital",
        ("Keyhaus, Pulsar, Minto, Zhiyin, Corebyte", "键屋，脉冲星，薄荷数码，知音，核比特"),
        ("style", "retro-futuristic, understated, gaming, modular, pocket-size", "复古未来，低调，电竞风，模块化，口袋款"),
        ("material", "aluminium, walnut veneer, polycarbonate, glass, carbon fibre", "铝合金，胡桃木饰面，聚碳酸酯，玻璃，碳纤维"),
        ("scene", "shared offices, business trips, late-night coding, live streams, subway rides", "共享办公，商务出差，深夜写代码，直播，地铁通勤"),
        ("audience", "programmers, music lovers, streamers, students, frequent flyers", "程序员，音乐发烧友，主播，学生，空中飞人"),
    ),
    (
        "Sports",
        ("Strido, Apex Lane, Lingfeng, Velocita, Coreline", "迈步，巅道，凌风，维速，核线"),
        ("style", "race-day, recovery, all-round, old-school, studio", "竞速，恢复型，全能，复古，工作室款"),
        ("material", "merino, nylon mesh, natural rubber, cork, foam", "美利奴羊毛，尼龙网布，天然橡胶，软木，发泡材料"),
        ("scene", "marathons, living-room workouts, rainy runs, lunch breaks, club nights", "马拉松，客厅训练，雨天跑步，午休时间，俱乐部之夜"),
        ("audience", "beginners, heavy runners, desk workers, competitive players, over-forties", "零基础，大体重跑者，久坐族，竞技选手，四十岁以上"),
    ),
    (
        "Baby",
        ("Littlenest, Bamboo Bear, Popo, Cradlewise, Tinyfeet", "小窝，竹子熊，泡泡，摇篮智，小脚丫"),
        ("style", "Montessori, Scandinavian, all-in-one, foldable, playful", "蒙氏，北欧，多合一，可折叠，童趣"),
        ("material", "bamboo fibre, food-grade silicone, beech wood, muslin, soft fleece", "竹纤维，食品级硅胶，榉木，纱布，软绒"),
        ("scene", "night feeds, plane trips, nap time, park walks, daycare", "夜奶，坐飞机，午睡，公园散步，托班"),
        ("audience", "newborns, toddlers, twins, working mums, grandparents", "新生儿，学步宝宝，双胞胎，上班妈妈，带娃老人"),
    ),
    (
        "Pets",
        ("Waggle, Meowen, Burrow, Finlay, Old Paw", "摇尾，喵恩，洞洞，鳍来，老爪"),
        ("style", "cosy, wall-mounted, low-noise, travel, natural", "治愈系，壁挂式，静音，外出款，原生态"),
        ("material", "sisal, plush, stainless steel, bentonite, salmon", "剑麻，短毛绒，不锈钢，膨润土，三文鱼"),
        ("scene", "small flats, long car rides, moulting season, moving house, thunderstorms", "小公寓，长途自驾，换毛季，搬家，打雷天"),
        ("audience", "kittens, senior dogs, picky eaters, first-time owners, multi-pet homes", "幼猫，老年犬，挑食宝贝，新手铲屎官，多宠家庭"),
    ),
    (
        "Garden",
        ("Mossery, Sprout & Stem, Qinghe, Terravine, Daybloom", "苔舍，芽与茎，清禾，藤土，日开"),
        ("style", "jungle, cottage, zen, vertical, edible", "热带雨林，乡村花园，禅意，立体种植，可食用"),
        ("material", "terracotta, sphagnum, cedar, zinc, coconut coir", "陶土，水苔，雪松木，镀锌铁，椰糠"),
        ("scene", "north-facing windows, tiny balconies, office desks, rooftops, bathrooms", "朝北窗台，迷你阳台，办公桌，天台，浴室"),
        ("audience", "forgetful waterers, beginners, collectors, cat owners, retirees", "健忘星人，植物杀手，收藏控，养猫家庭，退休爸妈"),
    ),
    (
        "Books",
        ("Inkwell, Lamplight, Shuyuan, Foldery, Quill House", "墨井，灯下，书愿，折页社，羽笔屋"),
        ("style", "vintage, bullet, illustrated, academic, travel", "复古手账，子弹笔记，插画风，学术，旅行"),
        ("material", "Tomoe paper, kraft, bronze, cloth binding, recycled paper", "巴川纸，牛皮纸，青铜，布面精装，再生纸"),
        ("scene", "exam season, Sunday cafes, long trains, morning pages, book clubs", "考试季，周日咖啡馆，长途火车，晨间书写，读书会"),
        ("audience", "exam takers, left-handers, slow readers, collectors, teachers", "考研党，左撇子，慢读者，文具控，老师"),
    ),
    (
        "Music",
        ("Resona, Woodlark, Tonewell, Qinyu, Sixstring", "回声，林雀，音井，琴语，六弦"),
        ("style", "fingerstyle, jazz, lo-fi, classical, indie", "指弹，爵士，低保真，古典，独立音乐"),
        ("material", "spruce, mahogany, bamboo, bronze, carbon", "云杉，桃花心木，竹子，青铜，碳纤"),
        ("scene", "bedroom recording, busking, dorm rooms, jam nights, campfires", "卧室录音，街头弹唱，宿舍，即兴之夜，篝火边"),
        ("audience", "adult beginners, kids, small hands, gigging players, singers", "成人初学者，琴童，小手玩家，乐队乐手，唱歌的人"),
    ),
    (
        "Travel",
        ("Wayfarer & Sons, Kumo, Portside, Luxing, Airy", "行者家，云雀行，港边，旅星，轻飏"),
        ("style", "one-bag, luxury, backpacker, slow-travel, business", "一包走天下，轻奢，背包客，慢旅行，商务"),
        ("material", "polycarbonate shell, ballistic nylon, merino knit, cowhide, mesh", "聚碳酸酯外壳，弹道尼龙，美利奴针织，头层牛皮，网布"),
        ("scene", "overnight flights, island hopping, city breaks, ski weeks, road trips", "夜间航班，跳岛游，城市周末，滑雪假期，自驾游"),
        ("audience", "solo women, families, digital nomads, consultants, retirees", "独自旅行的女生，亲子家庭，数字游民，咨询顾问，退休夫妇"),
    ),
    (
        "Craft",
        ("Yarnia, Clayhouse, Stitchery, Tatami Lab, Mudlark", "毛线屋，泥屋，针坊，草席实验室，泥雀"),
        ("style", "boho, kawaii, heritage, abstract, upcycled", "波西米亚，可爱风，非遗，抽象，旧物改造"),
        ("material", "merino yarn, stoneware clay, beeswax, hemp cord, felt", "美利奴线，炻器泥，蜂蜡，麻绳，羊毛毡"),
        ("scene", "rainy Sundays, craft fairs, date nights, gift season, school holidays", "下雨的周日，手作市集，约会之夜，送礼季，寒暑假"),
        ("audience", "absolute beginners, kids, gift makers, stressed workers, small studios", "零基础小白，小朋友，送礼人，解压上班族，小工作室"),
    ),
)

CATEGORIES = tuple(
    Category(name, _words(*brands), tuple(_dimension(*dimension) for dimension in dimensions))
    for name, brands, *dimensions in _CATEGORIES
)
