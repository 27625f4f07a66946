"""What is told of a call, on its way and in the log: each text as it stands there, in English, with its values open.

The desk shows them in its reader's language, and finds the template of a text among these (`desk.reading`). So of two
that can be taken for one another the one that says more stands first; and one of which the log has texts stays here
when the rules make none any more. Pure.
"""

from __future__ import annotations

from config.sentences import template, templates

# --- beside other sentences

ALSO_NOT_HEARD_ALL = template("{reason} Not all of it was heard.", "text")
ALSO_FROM_CHANNELS = template(
    "Ringcard did not hear this call; it is written from Asterisk's record of its channels. {reason}", "text"
)
ALSO_CUT = template("{reason} Asterisk stopped in the middle of it; it ended when the last was heard of it.", "text")
# translators: {reason} is a whole sentence; {passed} is "{whom}: {why}", or several of them
ALSO_NOT_RUNG = template("{reason} Not rung: {passed}.", "text")
ALSO_KEPT_IN = template("{reason} Kept in {name}.", "text")

# --- of a call that was not heard to its end

NOT_ALL_HEARD = template("Not all of it was heard.", "text")
FROM_CHANNELS = template(
    "Ringcard did not hear this call; it is written from Asterisk's record of its channels.", "text"
)
CUT = template("Asterisk stopped in the middle of it; it ended when the last was heard of it.", "text")

# --- where a call goes

# translators: {why} begins with a small letter: "the caller withheld the number"
BLOCKED = template("Blocked: {why}.", "text")
TO_OWN_WAY = template("The company's own way: {why}.", "text")
TO_DESTINATION = template("The destination {name}: {why}.", "text")
# translators: {whom} is "the assigned manager Dara", "the team of Dara" or several of them
RINGS = template("Rings {whom}; after that {after}.", "text")
TRANSFERRED = template("Transferred by {phone}.", "text")
SIMULATED_FOR_PHONE = template("Simulated for phone {name}.", "text")
SIMULATED_FOR_YOU = template("Simulated for you.", "text")
SIMULATED_FOR_SOMEBODY = template("Simulated for this person.", "text")
SIMULATED_FOR = template("Simulated for {name}.", "text")

OWN_WAY = template("the company's own way", "after", "way")
DESTINATION = template("the destination {name}", "after")

# --- what was looked at on the way

NOT_BLOCKED = template("Block list: not on it.", "text")
AT_WORK = template("Working hours: somebody is at work.", "text")
HOURS_NOT_LOOKED_AT = template("Working hours: not looked at.", "text")
CLOSED = template("Working hours: {why}.", "text")
RULE_GOES = template("Rule {name}: goes to the destination {destination}.", "text")
RULE_BY_DAY = template("Rule {name}: holds in working hours only.", "text")
RULE_NOBODY = template("Rule {name}: no customer.", "text")
RULE_OWES_LESS = template("Rule {name}: does not owe that much.", "text")
RULE_LESS = template("Rule {name}: {field} is not that much.", "text")
RULE_EMPTY = template("Rule {name}: {field} is empty.", "text")
RULE_OTHER = template("Rule {name}: {field} is {value}.", "text")
NO_SUCH_DESTINATION = template("The settings have no destination {name}.", "text")
AT_LAST = template("At last: {after}.", "text")
STEP_RINGS = template("{whom}: rings {seconds} s on {phones}.", "text")
SWITCHED_OFF = template("{whom}: switched off.", "text")
# translators: {whom} is a team, {name} one of its people
OF_TEAM = template("Of {whom}, {name}: {why}.", "text")
NOT_KNOWN = template(
    "Which phones talk or cannot be reached at that moment is not known here; such a person is passed over.", "text"
)

# --- who rings

# translators: who rings, and who rings when they do not answer
THEN_WHOM = template("{whom}, then {then_whom}", "whom")
MANAGER = template("the assigned manager {name}", "whom")
DEPUTY = template("{name}, the deputy of {manager}", "whom")
SPOKE_LAST = template("{name}, who spoke with this customer last", "whom")
TEAM_GONE_BY_RULE = template("the team that is gone by the rule {rule}", "whom")
TEAM_BY_RULE = template("the team {name} by the rule {rule}", "whom")
BY_RULE = template("{name} by the rule {rule}", "whom")
TEAM_OF = template("the team of {name}", "whom")
THE_RULE = template("the rule {name}", "whom")

# --- who does not

ALSO_PASSED = template("{passed}; {then_passed}", "passed")
# translators: a person or a team, and why they are not rung
PASSED = template("{whom}: {why}", "passed")

RUNG = template("had a turn before in this call", "why")
SENT_AWAY = template("sent this call away before", "why")
DO_NOT_DISTURB = template("do not disturb", "why")
NOT_SIGNED_IN = template("not signed in at the desk", "why")
ON_ANOTHER_CALL = template("on another call", "why")
NO_PHONE = template("no phone here", "why")
NOT_REACHED = template("the phone cannot be reached", "why")
NOBODY_ELSE = template("nobody else of it can be rung", "why")
NOT_HERE = template("whom it names is not here any more", "why")
NO_DESTINATION = template("the settings have no destination {name}", "why")

# --- why nobody is chosen

LEFT_ALONE = template("calls to this number are left alone", "why")
NAMED_ONLY = template("calls to this number are named only", "why")
TOOK_TOO_LONG = template("the lookup took too long", "why")
NO_CUSTOMER = template("no customer is known by this number", "why")
NOT_IN_TIME = template("the customer could not be looked up in time", "why")
NOT_CERTAIN = template('the customer is not certain enough to choose who rings (tiers.{tier} = "{may}")', "why")
MANAGERS_DIFFER = template("customers of different managers share this number", "why")
NOBODY_NOW = template("nobody can be rung now", "why")
A_RULE = template("a rule says so", "why")
NO_MANAGER = template("the customer has no manager", "why")
HOLIDAY = template("{day} is a holiday", "why")
OUT_OF_HOURS = template("{weekday} {time} is outside of {hours}", "why")
LISTED_NOTED = template("{number} is on the block list ({note})", "why")
LISTED = template("{number} is on the block list", "why")
PREFIX_LISTED_NOTED = template("numbers that begin with {prefix} are on the block list ({note})", "why")
PREFIX_LISTED = template("numbers that begin with {prefix} are on the block list", "why")

WEEKDAYS = (
    template("Mon", "weekday"),
    template("Tue", "weekday"),
    template("Wed", "weekday"),
    template("Thu", "weekday"),
    template("Fri", "weekday"),
    template("Sat", "weekday"),
    template("Sun", "weekday"),
)

# --- who calls

WITHHELD = template("the caller withheld the number", "why")
NO_NUMBER = template("the call came without a number", "why")
ANONYMOUS = template("the caller asked to stay anonymous", "why")
OWN_NUMBER = template("one of the company's own numbers", "why")
NO_OUTSIDE_NUMBER = template("not a number of the outside world", "why")
LATE = template("no answer within {ms} ms", "why")
OURSELVES = template("A call between the company's own phones.", "text")
NOT_OURS = template("The call did not come through Ringcard, so whether its number may be shown is unknown.", "text")
NOBODYS = template("No customer has the number {number}.", "text")
TOO_MANY = templates(
    "{n} customer has the last {digits} digits of {number}; that is too little to name one of them.",
    "{n} customers have the last {digits} digits of {number}; that is too little to name one of them.",
    "text",
)
TIER_OFF = template('{number} leads to a customer by {tier} match, which tiers.{setting} = "off" switches off.', "text")
PROBABLE = template("A number of this customer has the last {digits} digits of {number}; not certain.", "text")
RANGE = template("{number} lies in the range {range} of this customer.", "text")
EXTENSION = template("{number} with the extension {ext} is a number of this customer.", "text")
EXACT = template("{number} is a number of this customer.", "text")
CHOSEN = template("{share}; {name} chose this one on {day}.", "text")
SEVERAL = template("{share}.", "text")

# translators: {shared} is a number, or "the range … of …", or "… with the extension …"
SHARE_OF_COMPANY = templates(
    "{n} customer of {company} shares {shared}", "{n} customers of {company} share {shared}", "share"
)
SHARE = templates("{n} customer shares {shared}", "{n} customers share {shared}", "share")
SHARED_RANGE = template("the range {range} of {number}", "shared")
SHARED_EXTENSION = template("{number} with the extension {ext}", "shared")

# --- a call step by step

CAME_IN = template("came in on a trunk for {did}", "step")
CAME_IN_ON = template("came in on {trunk} for {did}", "step")
CAME_AGAIN = template("came through Ringcard again", "step")
# translators: {way} is what comes next: "phone 101 for 20 s, then the company's own way"
HANDED_BACK = template("handed back: {way}", "step")
TOOK_BACK = template("the dialplan's guard took it back", "step")
LEARNED_LATE = template("{looked}, learned late", "step")
LEARNED_AFTERWARDS = template("{looked}, learned when it was over", "step")
LOOKED = template("{looked}", "step")
TRANSFERS_TO = template("{phone} transfers it to {number}", "step")
TRANSFERS = template("{phone} transfers it", "step")
PARKED = template("parked in the lot {lot}", "step")
SIMULATED_WHY = template("simulated call: {answer}, {reason}", "step")
SIMULATED = template("simulated call: {answer}", "step")
ENDED_BY = {
    "caller": template("ended: {outcome}, hung up by the caller", "step"),
    "callee": template("ended: {outcome}, hung up by the callee", "step"),
}
ENDED = template("ended: {outcome}", "step")
# translators: a telephone, and what became of it
PHONE_IS = template("{phone}: {state}", "step")
LEFT_OUT = templates("({n} step left out)", "({n} steps left out)", "step")

LOOKED_IN_TIME = template("{said} ({source}, {ms} ms)", "looked")
LOOKED_TIME = template("{said} ({ms} ms)", "looked")
LOOKED_IN = template("{said} ({source})", "looked")
LOOKED_ONLY = template("{said}", "looked")

THEN_WAY = template("{way}, then {then_way}", "way")
RINGS_FOR = template("{phone} for {seconds} s", "way")
IS_BLOCKED = template("blocked, the caller hears {sound}", "way")
SOUNDS = (template("busy", "sound"), template("decline", "sound"))

AND_PHONE = template("{phone} and {then_phone}", "phone")
OUTSIDE = template("the number outside", "phone")
SOMEWHERE_OUTSIDE = template("a number outside", "phone")
PAGES = template("their pages", "phone")
PHONE = template("phone {name}", "phone")

ANSWERS = (
    template("found, exact", "said"),
    template("found, extension", "said"),
    template("found, range", "said"),
    template("found, probable", "said"),
    template("found", "said", "answer"),
    template("unknown", "said", "answer"),
    template("withheld", "said", "answer"),
    template("unavailable", "said", "answer"),
    template("looking", "said", "answer"),
)
SOURCES = (template("cache", "source"), template("database", "source"), template("memory", "source"))
STATES = (
    template("ringing", "state"),
    template("talking", "state"),
    template("left the call", "state"),
    template("stopped", "state"),
)
OUTCOMES = (
    template("answered", "outcome"),
    template("missed", "outcome", "state"),
    template("abandoned", "outcome"),
    template("busy", "outcome", "state"),
    template("declined", "outcome", "state"),
    template("cancelled", "outcome", "state"),
    template("failed", "outcome", "state"),
    template("blocked", "outcome"),
    template("voicemail", "outcome"),
)

# --- of the calls of a trial

OF_A_TRIAL = (
    template("the number is withheld", "why"),
    template("nobody has this number", "why"),
    template("the manager's phone did not answer, then the deputy's", "why"),
    template("the customer's manager", "why"),
)

# --- made of others alone: these say least

PASSED_OVER = template("{passed}.", "text")
IN_WORDS = template("{why}.", "text")
