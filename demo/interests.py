# ruff: noqa: E501
"""The fine-grained interests of the generated world, as data: two for every category path.

The drawn shape is part of the interest; what people praise about it (the points) is said only in the text.
"""

from __future__ import annotations

from demo.catalogue import CATEGORIES, Interest

# category > path | key | shape | names in English | names in Chinese | points in English | points in Chinese
_INTERESTS = """
Home > Lighting | bedside_lamp | lamp | bedside lamp; night lamp; reading light | 床头灯；小夜灯；阅读灯 | dims smoothly without flicker; throws a soft glow on the page; fits on the narrowest shelf | 调光顺滑不频闪；光线柔和不刺眼；窄窄的架子也放得下
Home > Lighting | scented_candle | jar | scented candle; soy candle; aroma candle | 香薰蜡烛；大豆蜡烛；香氛烛 | burns evenly for forty hours; smells like a cedar cabin; leaves no soot on the glass | 可以均匀燃烧四十小时；闻起来像雪松小屋；杯壁不留烟灰
Home > Furniture > Seating | reading_chair | chair | reading chair; accent chair; lounge chair | 阅读椅；单人休闲椅；躺读椅 | supports the lower back; survives two cats; takes ten minutes to assemble | 腰部支撑很到位；两只猫都抓不坏；十分钟就能装好
Home > Furniture > Seating | modular_sofa | sofa | modular sofa; sectional couch; corner sofa | 模块沙发；组合沙发；转角沙发 | turns into a guest bed; has washable covers; gets through a narrow stairwell | 拉开就是客床；外套可以拆洗；窄楼梯也搬得上去
Fashion > Bags | tote_bag | bag | tote bag; shopper bag; everyday carryall | 托特包；购物袋；通勤大包 | swallows a laptop and lunch; stands up on its own; keeps its shape in the rain | 电脑加饭盒都塞得下；自己能立住；淋雨也不变形
Fashion > Bags | bucket_hat | hat | bucket hat; fisherman hat; sun hat | 渔夫帽；盆帽；遮阳帽 | folds into a pocket; covers the neck; suits a big head | 折起来能塞口袋；能遮到后脖子；大头围也戴得下
Fashion > Dresses | tea_dress | dress | tea dress; midi dress; summer frock | 茶歇裙；中长连衣裙；夏日裙子 | has real pockets; moves nicely when walking; hides the belly | 居然有真口袋；走起路来很飘；遮肚子一流
Fashion > Dresses | chunky_knit | jacket | chunky cardigan; knit jacket; oversized knit | 粗针开衫；毛衣外套；慵懒针织衫 | does not pill after ten washes; feels like a hug; layers over anything | 洗十次也不起球；像被抱住一样暖；里面随便叠穿
Beauty > Skincare | face_serum | dropper | face serum; essence; night serum | 面部精华；精华液；夜间精华 | sinks in within a minute; layers well under sunscreen; calmed my cheeks in two weeks | 一分钟就吸收；叠防晒不搓泥；两周脸颊就稳定了
Beauty > Skincare | sunscreen | tube | sunscreen; sun milk; daily SPF | 防晒霜；防晒乳；日常防晒 | leaves no cast; does not sting the eyes; survives a whole beach day | 完全不假面；不辣眼睛；海边一整天都扛得住
Beauty > Makeup | lip_tint | lipstick | lip tint; lipstick; lip glaze | 唇釉；唇蜜；唇泥 | stays on through hotpot; does not dry out the lips; looks right in any light | 吃火锅都不掉；嘴唇不拔干；什么光线下都好看
Beauty > Makeup | perfume | bottle | perfume; eau de toilette; solid fragrance | 香水；淡香水；香膏 | opens with pear and ends in musk; lasts until dinner; earns a compliment every time | 前调是梨后调是麝香；能留香到晚饭；每次喷都被夸
Outdoor > Camping > Shelter | ultralight_tent | tent | ultralight tent; backpacking tent; trekking tent | 轻量帐篷；徒步帐篷；登山帐 | pitches in under five minutes; stays dry in heavy rain; weighs less than my water | 五分钟就能搭好；大雨也不漏水；比我的水还轻
Outdoor > Camping > Shelter | camp_stove | pot | camp stove; gas burner; hiking cook set | 露营炉具；户外气炉；徒步锅具 | boils half a litre in three minutes; shrugs off the wind; packs inside a mug | 三分钟烧开半升水；刮风也点得着；能收进杯子里
Outdoor > Hiking | trail_shoes | shoe | trail shoes; hiking shoes; approach shoes | 越野鞋；徒步鞋；接近鞋 | grips wet granite; drains fast after a stream; needs no breaking in | 湿岩石上也很抓地；过溪后排水很快；不用磨合就舒服
Outdoor > Hiking | day_pack | backpack | day pack; hiking rucksack; summit pack | 登山包；徒步双肩包；攻顶包 | rides close to the spine; swallows a rope; has a hip pocket for snacks | 背起来贴背；绳子都装得下；腰包能放零食
Food > Baking | layer_cake | cake | layer cake; birthday cake; chiffon cake | 夹心蛋糕；生日蛋糕；戚风蛋糕 | stays fluffy overnight; needs only one bowl; rises without baking powder | 放一夜还是蓬松；一个碗就能做；不用泡打粉也能长高
Food > Baking | rustic_bread | bread | rustic loaf; country bread; hearth bread | 乡村面包；欧包；炉烤面包 | crackles when it cools; keeps for four days; has an open airy crumb | 出炉会唱歌；放四天也不干；组织气孔很漂亮
Food > Noodles | ramen_bowl | bowl | ramen; noodle soup; brothy noodles | 拉面；汤面；浓汤面 | simmers for six hours; comes together in fifteen minutes; tastes like the shop near the station | 汤底熬了六小时；十五分钟就能上桌；味道像车站那家小店
Food > Noodles | pour_over | mug | pour-over coffee; filter coffee; drip coffee | 手冲咖啡；滤杯咖啡；挂耳咖啡 | tastes of apricot; stays sweet when cold; forgives a bad grinder | 喝得到杏子味；凉了还是甜的；磨豆机一般也好喝
Digital > Desk > Input | mech_keyboard | keyboard | mechanical keyboard; custom keyboard; typing board | 机械键盘；客制化键盘；打字键盘 | sounds like rain on a roof; pairs with three devices; swaps switches without soldering | 敲起来像雨打屋檐；能连三台设备；不用焊接就能换轴
Digital > Desk > Input | desk_monitor | monitor | desk monitor; external display; second screen | 桌面显示器；外接屏；副屏 | charges the laptop on one cable; tilts to portrait; keeps text crisp | 一根线还能给电脑充电；可以竖过来用；文字很锐利
Digital > Audio | headphones | headphones | over-ear headphones; studio headphones; wireless headset | 头戴式耳机；监听耳机；无线耳麦 | shuts out the open office; lasts forty hours; does not squeeze glasses | 开放式办公室也安静了；续航四十小时；戴眼镜也不夹
Digital > Audio | film_camera | camera | compact camera; point-and-shoot; pocket camera | 便携相机；傻瓜机；口袋相机 | focuses in the dark; makes skin look kind; slips into a coat | 暗处也能对上焦；拍人肤色很好；大衣口袋就能装
Sports > Running | running_shoes | shoe | running shoes; daily trainers; tempo shoes | 跑步鞋；慢跑鞋；训练跑鞋 | returns energy at easy pace; saved my knees; lasts eight hundred kilometres | 慢跑也有回弹；膝盖舒服多了；能跑八百公里
Sports > Running | sports_watch | watch | running watch; GPS watch; training watch | 跑步手表；GPS手表；训练腕表 | finds satellites in seconds; lasts two weeks; reads well in sunshine | 几秒就定位；两周充一次；大太阳下也看得清
Sports > Studio | yoga_mat | mat | yoga mat; pilates mat; exercise mat | 瑜伽垫；普拉提垫；健身垫 | stays put on tiles; has no rubber smell; cushions the knees | 瓷砖上也不跑；没有橡胶味；膝盖不疼了
Sports > Studio | basketball | ball | basketball; street ball; indoor ball | 篮球；街球；室内用球 | bounces true on concrete; keeps its air for months; grips even with sweaty hands | 水泥地弹得正；几个月不用打气；手出汗也抓得牢
Baby > Travel gear | stroller | stroller | stroller; pushchair; travel buggy | 婴儿车；手推车；出行推车 | folds with one hand; fits the overhead bin; rolls over cobbles | 单手就能收；能上飞机行李架；石板路也推得动
Baby > Travel gear | feeding_bottle | babybottle | feeding bottle; baby bottle; nursing bottle | 奶瓶；宝宝奶瓶；防胀气奶瓶 | leaks nothing in the bag; has just four parts to wash; prevents colic | 放包里不漏；只有四个零件要洗；不容易胀气
Baby > Toys | building_blocks | blocks | building blocks; stacking blocks; toy bricks | 积木；叠叠乐；拼搭积木 | keeps them busy for an hour; has no sharp edges; survives the dishwasher | 能安静玩一小时；没有尖角；洗碗机都能洗
Baby > Toys | picture_book | book | picture book; board book; bedtime book | 绘本；纸板书；睡前故事书 | ends in a yawn every time; withstands chewing; makes them point and laugh | 每次读完都打哈欠；怎么啃都不烂；会指着图笑出声
Pets > Cats | cat_tree | cattree | cat tree; climbing tower; cat condo | 猫爬架；猫塔；猫别墅 | does not wobble at full gallop; saved the sofa; has a sleeping nest on top | 跑酷也不晃；沙发终于保住了；顶上有睡窝
Pets > Cats | cat_bowl | petbowl | cat bowl; raised feeder; pet dish | 猫碗；高脚食盆；宠物餐盘 | spares the whiskers; slows the gobbling; cleans in one rinse | 不压胡须；吃饭不再狼吞虎咽；一冲就干净
Pets > Dogs | chew_bone | bone | chew bone; dental chew; teething bone | 磨牙骨；洁齿骨；咬胶 | keeps jaws busy for a week; cleans the back teeth; does not stain the rug | 能啃一个星期；后槽牙也干净了；不会弄脏地毯
Pets > Dogs | aquarium | fishtank | fish tank; desktop aquarium; planted tank | 鱼缸；桌面水族箱；草缸 | runs without a hum; balances itself in a month; calms the whole room | 运行没有嗡嗡声；一个月就稳定；看着整个房间都安静
Garden > Houseplants | monstera | plant | monstera; leafy houseplant; split-leaf plant | 龟背竹；大叶植物；裂叶盆栽 | unfurls a leaf every month; forgives missed watering; cleans up with a damp cloth | 一个月展一片新叶；忘浇水也没事；湿布一擦就亮
Garden > Houseplants | cactus | cactus | cactus; desert plant; tiny succulent | 仙人掌；沙漠植物；迷你多肉 | thrives on neglect; flowers in May; fits between two books | 越不管越好；五月会开花；两本书中间就放得下
Garden > Tools | watering_can | can | watering can; plant sprinkler; long-spout can | 浇水壶；洒水壶；长嘴壶 | pours without dripping; reaches the back row; balances when full | 倒水不滴漏；后排也浇得到；装满也不沉手
Garden > Tools | flower_vase | vase | flower vase; bud vase; table vase | 花瓶；单枝花器；桌面花瓶 | holds a single branch upright; keeps stems fresh for a week; looks good empty | 一枝花也立得住；能养一周；空着也好看
Books > Stationery | bullet_journal | notebook | journal; dotless notebook; daily planner | 手账本；日程本；随身笔记本 | lies flat; takes fountain ink without ghosting; survives a year in a bag | 可以完全摊平；钢笔不洇不透；背包里用一年也不散
Books > Stationery | fountain_pen | pen | fountain pen; writing pen; ink pen | 钢笔；书写笔；墨水笔 | starts every time; glides on cheap paper; makes me write letters | 每次都下水；便宜纸也顺滑；让人想写信
Books > Reading | reading_glasses | glasses | reading glasses; round spectacles; screen glasses | 阅读眼镜；圆框眼镜；护眼镜 | stays on when looking down; weighs nothing; reduces the evening headache | 低头也不滑；几乎没重量；晚上头不疼了
Books > Reading | wall_clock | clock | wall clock; study clock; silent clock | 挂钟；书房时钟；静音钟 | makes no tick at all; runs a year on one battery; keeps the study on time | 完全没有滴答声；一节电池用一年；学习计时刚刚好
Music > Strings | acoustic_guitar | guitar | acoustic guitar; folk guitar; parlour guitar | 民谣吉他；木吉他；旅行吉他 | stays in tune for days; plays easily up the neck; records without an amp | 几天都不跑音；高把位也好按；不插电就能录
Music > Strings | ukulele | ukulele | ukulele; tenor uke; four-string | 尤克里里；小四弦；23寸小吉他 | fits on a lap; sounds bright and warm; takes a weekend to learn | 抱在腿上刚好；声音又亮又暖；一个周末就学会
Music > Keys | digital_piano | piano | digital piano; home keyboard piano; stage piano | 电钢琴；家用数码钢琴；舞台琴 | feels like real hammers; keeps the neighbours asleep; folds away under a bed | 手感像真琴槌；邻居照样睡；能收到床底
Music > Keys | vinyl_player | turntable | turntable; record player; vinyl deck | 唱片机；密纹播放器；复古唱机 | spins without hum; starts with one lever; makes Sunday mornings | 转起来没底噪；一个拨杆就开始；周日早上的仪式感
Travel > Luggage | cabin_suitcase | suitcase | cabin suitcase; carry-on; rolling case | 登机箱；拉杆箱；小行李箱 | rolls straight on carpet; fits the strictest airline; opens from the front | 地毯上也走直线；最严的航空也能带；前开盖很方便
Travel > Luggage | neck_pillow | pillow | neck pillow; travel cushion; flight pillow | 颈枕；旅行靠枕；飞行枕 | stops the nodding; squeezes into a fist; washes at thirty degrees | 头不再乱晃；能压成拳头大；可以机洗
Travel > Road | city_bike | bike | city bike; commuter bicycle; folding bike | 城市单车；通勤自行车；折叠车 | climbs the bridge without sweat; carries two shopping bags; locks in seconds | 上桥也不费力；能挂两袋菜；几秒就锁好
Travel > Road | camper_car | car | camper van; road-trip car; tiny camper | 房车；自驾车；床车 | sleeps two with legs stretched; parks in a normal bay; sips fuel | 两个人能伸直腿睡；普通车位就能停；很省油
Craft > Textile | punch_needle | scissors | sewing kit; embroidery set; punch needle kit | 缝纫套装；刺绣材料包；戳戳绣套装 | comes with clear steps; takes one evening; cuts thread cleanly | 步骤写得很清楚；一个晚上就完成；剪线很利落
Craft > Textile | plush_bear | bear | plush bear; crochet bear; handmade teddy | 毛绒小熊；钩织小熊；手工泰迪 | has button eyes; sits by itself; takes six hours to make | 眼睛是纽扣做的；自己能坐住；六个小时就做好
Craft > Ceramics | handmade_mug | cup | handmade cup; pottery cup; stoneware tumbler | 手作杯；陶艺杯；拉坯杯 | warms both hands; shows the potter's thumb; keeps tea hot | 双手捧着很暖；能看到拇指印；茶凉得慢
Craft > Ceramics | hammered_ring | ring | handmade ring; stacking ring; hammered ring | 手作戒指；叠戴戒指；锤纹戒 | never turns the finger odd; catches the light; can be resized | 手指不会变色；会反光很好看；可以改圈号
"""


def _interest(line: str) -> Interest:
    path, key, shape, english, chinese, points_en, points_zh = (part.strip() for part in line.split("|"))
    steps = tuple(step.strip() for step in path.split(">"))
    category = [c.name for c in CATEGORIES].index(steps[0])
    names = (tuple(english.split("; ")), tuple(chinese.split("；")))
    points = (tuple(points_en.split("; ")), tuple(points_zh.split("；")))
    return Interest(key, category, steps, shape, names, points)


INTERESTS = tuple(_interest(line) for line in _INTERESTS.strip().splitlines())
PATHS = tuple(dict.fromkeys(interest.path for interest in INTERESTS))
