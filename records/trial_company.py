"""The company of the trial, as values: people, customers, orders, tasks. Nobody in it exists. What somebody there wrote
in their own words is a sentence, so that the company may write in any language of the desk.

A wholesaler in Phnom Penh whose customers write their names in five scripts and their numbers in as many ways as people
do. Numbers abroad are those that their countries keep for fiction, where they keep any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from config.sentences import say

OFFICE, SALES, SERVICE = say("Office"), say("Sales"), say("Service")
MOBILE, WORK, RECEPTION = say("mobile"), say("work"), say("reception")

COMPANY = "Angkor Trade"
COUNTRY = "KH"
AREA_CODE = "23"
TIME_ZONE = "Asia/Phnom_Penh"
CURRENCY = "USD"
DIDS = ("+85523900001", "+85523900002", "+85523900003", "+85523900004", "+85523900005")

STAR_NAME = "Sok Dara"
STAR_NUMBER = "+85512345678"
"""The customer with everything: name, photo, debt, orders, a manager at phone 101, a last task."""

SHARED_NUMBER = "+85523987654"
"""Two customers have it."""

UNKNOWN_NUMBER = "+85577999000"
"""Nobody has it."""

KHMER_NUMBER = "+85512555021"
CYRILLIC_NUMBER = "+77015550132"


@dataclass(frozen=True, slots=True)
class TrialPerson:
    login: str
    name: str
    role: Literal["agent", "supervisor", "administrator"]
    team: str
    phone: str  # endpoint; empty: sits nowhere
    deputy: str = ""  # login


PEOPLE = (
    TrialPerson("sophea", "Chea Sophea", "administrator", OFFICE, ""),
    TrialPerson("vanna", "Keo Vanna", "supervisor", SALES, "105"),
    TrialPerson("sreymom", "Chan Sreymom", "agent", SALES, "101", "visal"),
    TrialPerson("visal", "Lim Visal", "agent", SALES, "102", "sreymom"),
    TrialPerson("rithy", "Pich Rithy", "agent", SERVICE, "103", "kunthea"),
    TrialPerson("kunthea", "Meas Kunthea", "agent", SERVICE, "104", "rithy"),
)


@dataclass(frozen=True, slots=True)
class TrialCustomer:
    name: str
    company: str
    numbers: tuple[str | tuple[str, str], ...]  # a text, or a text and its label
    manager: str = ""  # login
    debt_minor: int = 0
    face: Literal["", "woman", "man"] = ""  # empty: no photo
    email: str = ""
    address: str = ""
    note: str = ""
    orders: int = 0  # how many are open now


CUSTOMERS = (
    TrialCustomer(
        STAR_NAME,
        "Dara Rice Mill",
        (("012 345 678", MOBILE), ("+855 (0)23 988 710", WORK)),
        "sreymom",
        1_250_00,
        "man",
        "dara@ricemill.example",
        "18 Street 271, Phnom Penh",
        say("Prefers to be called in the morning. Speaks Khmer and English; likes to be asked about the harvest."),
        3,
    ),
    TrialCustomer("Heng Sopheap", "Heng Family Shop", (("(023) 987-654", WORK),), "visal", 86_50, "woman", orders=1),
    TrialCustomer("Heng Ratha", "Heng Family Shop", ("+855 23 987 654", ("092 555 060", MOBILE)), "visal", 0, "man"),
    TrialCustomer(
        "សុខ បូផា",
        "ភោជនីយដ្ឋាន បូផា",
        ("០១២ ៥៥៥ ០២១",),
        "kunthea",
        340_00,
        "woman",
        address="ផ្លូវ ២៤០ ភ្នំពេញ",
        note=say("Restaurant; deliveries before eight."),
        orders=2,
    ),
    TrialCustomer("ចាន់ រតនា", "", ("+855-16-555-019",), "kunthea", 0, "man"),
    TrialCustomer("លី ស្រីនាង", "ផ្សារថ្មី តូប ១៤", ("097-5555-030",), "rithy", 12_00),
    TrialCustomer(
        "Иванов Пётр Сергеевич",
        "ТОО «Алатау Импорт»",
        ("+7 (701) 555-01-32",),
        "visal",
        7_480_25,
        "man",
        "ivanov@alatau.example",
        "Алматы, пр. Абая 10",
        say("Pays at the end of the month."),
        2,
    ),
    TrialCustomer("Кузнецова Анна", "Чайный дом", ("+7 495 555-01-34", "00 7 916 555 01 36"), "visal", 0, "woman"),
    TrialCustomer(
        "محمد الحداد", "مطعم الشام", ("+971 50 555 0147",), "rithy", 905_00, "man", address="دبي، ديرة", orders=1
    ),
    TrialCustomer("فاطمة الزهراني", "", ("+966 50 555 0148",), "rithy", 0, "woman"),
    TrialCustomer(
        "王小明", "北京香料贸易", ("+86 138 0055 0145", "+86 10 5555 0144"), "visal", 3_120_00, "man", orders=2
    ),
    TrialCustomer("陳美玲", "美玲茶行", ("+852 2555 0146",), "visal", 0, "woman"),
    TrialCustomer("Nguyễn Thị Hoa", "Hoa Sen Café", ("+84 90 555 0143",), "kunthea", 55_00, "woman", orders=1),
    TrialCustomer("Phạm Văn Long", "", ("+84 28 5555 0142",), "kunthea"),
    TrialCustomer("สมชาย ใจดี", "ร้านข้าวใจดี", ("+66 2 555 0149",), "rithy", 210_00, "man"),
    TrialCustomer("Emily Carter", "Carter & Daughters", ("+44 20 7946 0139",), "sreymom", 0, "woman", orders=1),
    TrialCustomer("Oliver Hughes", "Thames Spice Co.", ("+44 (0)20 7946 0140",), "sreymom", 1_999_99, "man"),
    TrialCustomer("Michael Johnson", "Golden Gate Foods", ("001 415 555 0138",), "sreymom", 12_480_50, "man", orders=2),
    TrialCustomer("Jennifer O'Brien", 'The "Pepper" Place', ("+1 (212) 555-0137",), "sreymom", 0, "woman"),
    TrialCustomer("Chloé Lefèvre", "Épicerie du Mékong", ("+33 1 99 00 01 41",), "sreymom", 430_00, "woman", orders=1),
    TrialCustomer("Jack Thompson", "", ("+61 491 570 156",), "visal", -25_00),
    TrialCustomer("Kim Sothea", "Sothea Minimart", ("tel:+855-16-555-039",), "kunthea", 18_75),
    TrialCustomer("Prak Samnang", "Samnang Transport", ("+855 (0)17 555 020",), "rithy", 0, "man"),
    TrialCustomer("Ouk Chenda", "", ("٠١٢ ٥٥٥ ٠٢٢",), "rithy"),
    TrialCustomer("Nhem Pisey", "Central Pharmacy", ("023 988 722 ext. 14",), "kunthea", 64_00, "woman", orders=1),
    TrialCustomer("Tep Borey", "Central Pharmacy", ("023 988 722 ext. 15",), "kunthea"),
    TrialCustomer("Sao Malis", "Malis Silk", ("012.555.024",), "sreymom", 720_00, "woman", orders=1),
    TrialCustomer("Chhim Vuthy", "Vuthy Garage", ("012/555/025",), "rithy"),
    TrialCustomer("Yim Sokunthea", "", ("0 15 55 50 26",), "kunthea", 5_50),
    TrialCustomer(
        "Long Dararith", "Riverside Hotel", ("015555027", ("023 988 730", RECEPTION)), "sreymom", 2_310_00, "man"
    ),
    TrialCustomer("Mao Chanthou", "", ("096 555 5028",), "visal"),
    TrialCustomer("Ros Kosal", "Kosal & Sons", ("+855965555029",), "visal", 148_20, "man", orders=1),
    TrialCustomer("Duong Leakhena", "Leakhena Bakery", ("071 555 5031",), "kunthea", 33_00, "woman"),
    TrialCustomer("Sim Piseth", "", ("００８５５ １２ ５５５ ０５０",), "rithy"),
    TrialCustomer("Chea Mony", "Mony Print", ("+855 12 555 051",), "visal", 0),
    TrialCustomer("Khun Theary", "Theary Travel", ("088 555 5052",), "sreymom", 95_00, "woman", orders=1),
    TrialCustomer("Nou Bunna", "", ("031 555 5053",), "rithy"),
    TrialCustomer("Hem Chakrya", "Chakrya Boutique", ("010 555 054",), "kunthea", 27_90, "woman"),
    TrialCustomer("Var Rithisak", "Kampot Pepper Growers", ("033 690 055", "011 555 055"), "sreymom", -480_00, "man"),
    TrialCustomer("Eng Socheata", "", ("00855 92 555 056",), "", 0, "woman", note=say("Has no manager yet.")),
)

GOODS = (
    (say("Jasmine rice, 25 kg"), 21_50),
    (say("Kampot pepper, black, 1 kg"), 18_00),
    (say("Cashew nuts, 10 kg"), 74_00),
    (say("Palm sugar, 5 kg"), 9_75),
    (say("Dried mango, 12 x 500 g"), 46_20),
    (say("Fish sauce, 24 bottles"), 38_40),
    (say("Silk scarves, 50 pieces"), 410_00),
    (say("Lotus tea, 100 tins"), 265_00),
)


@dataclass(frozen=True, slots=True)
class TrialTask:
    customer: str
    user: str  # login
    title: str
    due_in_days: int | None  # from today; negative: overdue; None: no day was set
    done: bool = False


TASKS = (
    TrialTask(STAR_NAME, "sreymom", say("Ask whether the rice arrived dry"), -6, done=True),
    TrialTask(STAR_NAME, "sreymom", say("Send the new price list for jasmine rice"), 0),
    TrialTask("Michael Johnson", "sreymom", say("Agree on a plan for the open invoice"), -2),
    TrialTask("Oliver Hughes", "sreymom", say("Call about the overdue payment"), -1),
    TrialTask("Иванов Пётр Сергеевич", "visal", say("Confirm the container for Almaty"), 0),
    TrialTask("王小明", "visal", say("Send samples of black pepper"), 1),
    TrialTask("Heng Sopheap", "visal", say("Offer cashew nuts of the new harvest"), 3),
    TrialTask("محمد الحداد", "rithy", say("Find out why the last delivery was late"), -1),
    TrialTask("Prak Samnang", "rithy", say("Book two trucks"), 0),
    TrialTask("សុខ បូផា", "kunthea", say("Bring the delivery before eight"), 1),
    TrialTask("Nguyễn Thị Hoa", "kunthea", say("Ask for photos of the broken tins"), 7),
    TrialTask("Eng Socheata", "vanna", say("Give her a manager"), None),
)


@dataclass(frozen=True, slots=True)
class TrialCall:
    """A call of the past. `who` is a customer's name, a number, or empty for a withheld one."""

    day: Literal["today", "yesterday"]
    at: float  # share of the working day (yesterday) or of the day so far (today), 0 to 1
    who: str
    outcome: Literal["answered", "missed", "busy", "declined", "abandoned"]
    phone: str = ""  # that answered or rang last
    wait_s: int = 8
    talk_s: int = 0
    rang: tuple[str, ...] = ()  # phones that rang before
    outbound: bool = False


CALLS = (
    TrialCall("yesterday", 0.05, "Emily Carter", "answered", "101", 6, 312),
    TrialCall("yesterday", 0.12, "+85569555101", "answered", "103", 11, 95),
    TrialCall("yesterday", 0.21, "Ros Kosal", "answered", "102", 5, 187),
    TrialCall("yesterday", 0.33, "Michael Johnson", "missed", "102", 40, 0, ("101",)),
    TrialCall("yesterday", 0.36, "Michael Johnson", "answered", "101", 0, 641, outbound=True),
    TrialCall("yesterday", 0.48, "", "answered", "104", 14, 52),
    TrialCall("yesterday", 0.57, "សុខ បូផា", "answered", "103", 23, 148, ("104",)),
    TrialCall("yesterday", 0.66, "+442079460199", "abandoned", "105", 9),
    TrialCall("yesterday", 0.79, "Chloé Lefèvre", "busy", "101", 2),
    TrialCall("yesterday", 0.93, "Long Dararith", "answered", "101", 7, 260),
    TrialCall("today", 0.30, "Sao Malis", "answered", "101", 9, 204),
    TrialCall("today", 0.42, "Иванов Пётр Сергеевич", "answered", "102", 6, 418),
    TrialCall("today", 0.51, "Nhem Pisey", "missed", "104", 21),
    TrialCall("today", 0.55, "Nhem Pisey", "answered", "104", 0, 133, outbound=True),
    TrialCall("today", 0.63, "+85586555102", "abandoned", "105", 12, 0, ("103",)),
    TrialCall("today", 0.72, "محمد الحداد", "answered", "103", 8, 377),
    TrialCall("today", 0.84, "Heng Ratha", "answered", "101", 26, 91, ("102",)),
    TrialCall("today", 0.92, STAR_NAME, "answered", "101", 5, 246),
)
