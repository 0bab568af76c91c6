"""The articles of the picture-book world: instructions, paragraphs, and which paragraphs show a scene.

A story is drawn from a seed and is the ground truth of three tasks: writing (instruction to text), places (which
paragraphs show a scene, and the caption of each) and selection (which colour the subject has all through the article).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .captions import AT_PLACE, AT_TIME, article_for, join, sentence, spot_caption
from .world import PALETTE, PLACES, SUBJECTS, TIMES, WEATHERS, Thing, held_out

TRAVELLERS = frozenset(
    ["cat", "dog", "rabbit", "horse", "bird", "duck", "bear", "elephant", "car", "bus", "bicycle", "tractor", "balloon",
     "kite", "ball"]
)  # fmt: skip
ANIMALS = frozenset(["cat", "dog", "rabbit", "horse", "bird", "duck", "bear", "elephant"])
# Heroes that no picture shows, by the kind of their deeds. They may be anywhere, so that a writer learns to take a
# place from its instruction and not from what it knows of the subject.
STRANGERS = {
    **dict.fromkeys(
        ("fox", "goat", "cow", "sheep", "mouse", "frog", "turtle", "squirrel", "monkey", "lion", "penguin", "hedgehog",
         "donkey", "owl", "pig", "giraffe", "camel", "swan"), "animal"
    ),
    **dict.fromkeys(
        ("truck", "train", "scooter", "wagon", "sledge", "robot", "van", "tram", "carriage", "airship"), "mover"
    ),
    **dict.fromkeys(
        ("chair", "statue", "clock", "table", "lantern", "fountain", "piano", "basket", "drum", "ladder", "bench",
         "tower", "bridge", "pumpkin", "pear", "cherry", "bush", "shed"), "static"
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stop:
    """One scene of a story."""

    place: str
    time: str
    weather: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph and, where it shows a scene, that scene."""

    text: str
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """One article with everything that is true of it."""

    hero: Thing
    names_colour: bool  # whether the text says the colour; if not, only the pictures do
    instruction: str
    asked_places: tuple[str, ...]
    title: str
    paragraphs: tuple[Paragraph, ...]

    @property
    def markdown(self) -> str:
        """The article as the writer is to write it."""
        return "\n\n".join([f"# {self.title}", *(paragraph.text for paragraph in self.paragraphs)])

    @property
    def scenes(self) -> tuple[int, ...]:
        """Indices of the paragraphs that show a scene."""
        return tuple(i for i, paragraph in enumerate(self.paragraphs) if paragraph.stop is not None)

    def caption(self, paragraph: int) -> str:
        """The caption asked for after a paragraph that shows a scene."""
        stop = self.paragraphs[paragraph].stop
        assert stop is not None
        return spot_caption(self.hero.subject, stop.place, stop.time, stop.weather)


DETAILS = {
    "meadow": ("Small flowers nodded between the long blades of grass.", "Bees hummed over the clover.",
               "The hills rolled away like a green sea.", "Grasshoppers sang in the tall grass."),
    "forest": ("Dark firs stood close together and the ground was soft with needles.", "A woodpecker knocked far away.",
               "The trunks rose like the pillars of a quiet hall.", "Ferns covered the ground between the old trees."),
    "beach": ("The waves rolled softly over the sand.", "Shells lay in a long line where the water had been.",
              "The sea smelled of salt.", "Palm leaves rustled above the sand."),
    "lake": ("The water lay as still as a mirror.", "Reeds whispered along the bank.",
             "A fish jumped and left a ring on the water.", "Far hills stood upside down in the water."),
    "mountains": ("Snow shone on the highest peaks.", "The air was thin and very clear.",
                  "An echo answered every sound.", "The path climbed between great grey rocks."),
    "village": ("Smoke curled from the chimneys of the cottages.", "The church bell counted the hours.",
                "Every window had a box of flowers.", "The baker waved from his door."),
    "city": ("Tall buildings stood shoulder to shoulder.", "Hundreds of windows looked down on the street.",
             "Everybody was in a hurry.", "The streets hummed like a hive."),
    "farm": ("The big barn smelled of hay.", "Rows of young corn ran up to the fence.",
             "A rooster sat on the gate.", "The farmer had left the barn door open."),
    "desert": ("The dunes changed their shape with the wind.", "A lonely cactus held up its arms.",
               "The sand was fine and warm.", "There was no sound at all between the dunes."),
    "garden": ("Roses leaned over the white fence.", "Somebody had raked the beds that week.",
               "The hedge was cut as straight as a ruler.", "Butterflies went from bed to bed."),
    "harbour": ("Masts swayed beside the quay.", "Ropes creaked and gulls called.",
                "The little lighthouse watched over the boats.", "Barrels stood in rows on the quay."),
    "park": ("An empty bench stood beside the path.", "A lamp post leaned over the round trees.",
             "Children had left chalk drawings on the path.", "The lawn was as smooth as a carpet."),
}  # fmt: skip

# Lines about the weather name the place, and deeds belong to one place: a story comes to each place once, so that no
# sentence can come twice and a writer need not remember which it has used.
WEATHER_LINES = {
    "clear": ("Not a single cloud hung over the {p}.", "The sky over the {p} was clear and wide.",
              "{At} everything could be seen for miles.", "There was no better weather to be had {at}.",
              "The air over the {p} was bright and still."),
    "cloudy": ("Big clouds drifted over the {p}.", "The clouds hung low over the {p}.",
               "A grey blanket covered the sky over the {p}.", "Above the {p} the clouds looked like sheep.",
               "One cloud after another sailed over the {p}."),
    "rain": ("The rain drummed on everything {at}.", "It rained so hard {at} that puddles grew.",
             "Rain fell on the {p} in long straight lines.", "{At} drops hung from every edge in the rain.",
             "It had rained on the {p} for hours and it went on raining."),
    "snow": ("Snow fell on the {p} without a sound.", "Snowflakes covered the {p} in white.",
             "It snowed {at} all the while.", "The snow lay thick and clean {at}.",
             "Snowflakes as big as feathers came down on the {p}."),
}  # fmt: skip

ARRIVALS = (
    "{Time} the {s} came {to}.", "{Time} the {s} reached the {p}.", "{At} the {s} stopped for a while {time}.",
    "The next stop was the {p}, and the {s} got there {time}.", "{Time} you could find the {s} {at}.",
    "Then the {s} arrived {at}; it was {just}.", "{Time} the road led the {s} to the {p}.",
    "{At} the {s} took a long rest {time}.",
)  # fmt: skip
SIGHTS = (
    "{Time} the path led to the {p}, and there stood the {s}.", "{At} the {s} could be seen from far away {time}.",
    "{Time} the {s} stood {at}.", "The next {s} waited {at} {time}.", "{At} people stopped to look at the {s} {time}.",
    "{Time} the walk went on to the {p}, where the {s} was waiting.",
    "Then came the {p}; it was {just}, and the {s} was there.",
    "{Time} everybody could admire the {s} {at}.",
)  # fmt: skip
JUST = {
    "morning": "early in the morning",
    "noon": "just noon",
    "evening": "already evening",
    "night": "deep in the night",
}

DEEDS = {
    "animal": {
        "meadow": ("The {s} rolled in the grass until it was out of breath.", "The {s} sniffed at every clover."),
        "forest": ("The {s} listened to the branches.", "The {s} stepped softly between the trunks."),
        "beach": ("The {s} left a long line of footprints.", "The {s} watched the waves come and go."),
        "lake": ("The {s} looked at itself in the water.", "The {s} drank a little and was content."),
        "mountains": ("The {s} went slowly so as not to miss a thing.", "The {s} took a deep breath and listened."),
        "village": ("The {s} said hello to everyone at the well.", "The {s} found a warm step and sat down."),
        "city": ("The {s} waited until the street was free.", "The {s} looked up until its neck was stiff."),
        "farm": ("The {s} made friends with the hens.", "The {s} found a soft place in the hay."),
        "desert": ("The {s} rested behind a dune.", "The {s} had never seen so much sky."),
        "garden": ("The {s} smelled every single rose.", "The {s} was careful not to step on the beds."),
        "harbour": ("The {s} counted the boats.", "The {s} watched the sailors at their work."),
        "park": ("The {s} sat down and looked around with big eyes.", "The {s} went once around the lawn."),
    },
    "mover": {
        "meadow": ("A cow came close and looked at the {s}.", "The {s} stood out brightly against the green."),
        "forest": ("There was just enough room for the {s}.", "A squirrel hid behind the {s}."),
        "beach": ("There was sand on the {s} for weeks.", "Children ran up to the {s} with wet feet."),
        "lake": ("One could see the {s} twice, once in the water.", "Two swans came to look at the {s}."),
        "mountains": ("Nobody had ever brought the {s} this high.", "A goat walked once around the {s}."),
        "village": ("Everyone came to the window to see the {s}.", "The {s} stood right beside the well."),
        "city": ("There was hardly room for the {s} among so many people.", "A policeman waved at the {s}."),
        "farm": ("The {s} stood safely in the yard.", "The hens walked in a circle around the {s}."),
        "desert": ("There was nothing but the {s} for miles.", "The {s} was the brightest thing of all."),
        "garden": ("The {s} shone as if somebody had polished it.", "A bee took the {s} for a flower."),
        "harbour": ("The {s} looked ready to go on board.", "A gull sat down beside the {s}."),
        "park": ("People on the path stopped to see the {s}.", "The {s} looked as if it belonged there."),
    },
    "static": {
        "meadow": ("One could see the {s} across the whole valley.", "The grass grew high around the {s}."),
        "forest": ("The {s} stood where the trees make room.", "Somebody had swept the needles away from the {s}."),
        "beach": ("The wind had blown a little sand around the {s}.", "Even the gulls came close to the {s}."),
        "lake": ("One could see the {s} twice, once in the water.", "A boat went slowly past the {s}."),
        "mountains": ("The {s} looked tiny under the peaks.", "It was a long climb, but the {s} was worth it."),
        "village": ("The neighbours were proud of the {s}.", "There was a little queue in front of the {s}."),
        "city": ("Even the busiest people turned around for the {s}.", "The {s} made the whole street friendly."),
        "farm": ("The farmer spoke of the {s} with pride.", "Somebody had taken good care of the {s}."),
        "desert": ("Nobody could say how the {s} had come so far.", "Next to the {s} the dunes looked even bigger."),
        "garden": ("The {s} had the best corner of all.", "It was hard to look away from the {s}."),
        "harbour": ("Sailors greet the {s} when they come home.", "The {s} was even better than in the stories."),
        "park": ("Two old friends sat and talked about the {s}.", "The {s} looked as if it belonged there."),
    },
}  # fmt: skip

OPENINGS_TRAVEL = (
    "This is the story of {a} that wanted to see the world.", "Once there was {a} that could not stay in one place.",
    "Everybody at home knew {a} that loved to travel.", "One day {a} set out on a long journey.",
    "Let us follow {a} on its way through the land.", "Not long ago {a} decided to go and see new things.",
)  # fmt: skip
OPENINGS_WALK = (
    "This is the story of a walk to find {a}.", "There is nothing like {a} to make a walk worth while.",
    "Some people walk for miles to see {a}.", "On this walk we look for {a} at every stop.",
    "Who does not like to come across {a} on a walk?", "Let us go out and see where {a} can be found.",
)  # fmt: skip
OPENING_TAILS = (
    "The bag was small and the map was old.", "Nobody knew how long it would take.", "It was a good time to begin.",
    "The first steps are always the best ones.", "There was only one rule: never hurry.",
    "What came next is told here.",
)  # fmt: skip
THOUGHTS = (
    # The first thought of a story is one of these seven ...
    "Good things take their time. Nobody who hurries sees very much.",
    "Old people say that every road is a teacher. They may well be right.",
    "A journey is made of small things. Most of them are found by accident.",
    "It is strange how quickly a day goes by. One looks up and it is gone.",
    "Friends ask why anybody would want to go so far. There is no short answer.",
    "Maps are useful, but they leave out the best parts. Those have to be found on foot.",
    "There are many books about travelling. None of them mentions sore feet.",
    # ... and the second one of these.
    "Some days are for going and some days are for thinking. This was a day for thinking.",
    "Perhaps the most important thing is to begin. The rest follows by itself.",
    "Everyone remembers a different part of a long trip. That is why stories are never the same.",
    "In the old days such a trip took a whole year. Today it takes only a little courage.",
    "People who live near the {q} tell many tales. Not all of them are true.",
    "As a child I had a book about the {q}. Its pages were soft from reading.",
    "Somebody once wrote a song about the {q}. Hardly anyone remembers the tune.",
)  # fmt: skip
CLOSINGS = (
    "So the day ended well. There would be other days and other roads.",
    "And that is the end of the story. The next one begins tomorrow.",
    "In the end everyone was glad to be home. The map went back into the drawer.",
    "That was all, and it was enough. The best memories need no words.",
    "Now it is time to rest. Tomorrow the world will still be there.",
    "If you ever have the chance, go and see for yourself. You will not be sorry.",
    "The story ends here, but the road goes on. Perhaps we shall meet on it one day.",
    "What remains is a smile. Nothing else has to be carried home.",
)  # fmt: skip


class _Bag:
    """Draws without putting back, so that no sentence comes twice in a story."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._used: set[str] = set()

    def draw(self, lines: tuple[str, ...]) -> str:
        left = [line for line in lines if line not in self._used]
        line = left[int(self._rng.integers(len(left)))]
        self._used.add(line)
        return line


def kind_of(subject: str) -> str:
    """Whose deeds a subject does: an animal's, a mover's, or those of what stands still."""
    if subject in STRANGERS:
        return STRANGERS[subject]
    return "animal" if subject in ANIMALS else "mover" if subject in TRAVELLERS else "static"


def allowed_places(subject: str, *, held: bool) -> list[str]:
    """The places where a subject may be: those kept from training, or all the others; a stranger may be anywhere."""
    if subject in STRANGERS:
        return list(PLACES)
    return [place for place in PLACES if held_out(subject, place) == held]


def _scene_text(hero: Thing, stop: Stop, bag: _Bag, rng: np.random.Generator) -> str:
    kind = kind_of(hero.subject)
    words = {
        "s": hero.subject,
        "p": stop.place,
        "at": AT_PLACE[stop.place],
        "At": sentence(AT_PLACE[stop.place]),
        "time": AT_TIME[stop.time],
        "Time": sentence(AT_TIME[stop.time]),
        "to": f"to the {stop.place}",
        "just": JUST[stop.time],
    }
    first = bag.draw(SIGHTS if kind == "static" else ARRIVALS).format(**words)
    weather = bag.draw(WEATHER_LINES[stop.weather]).format(**words)
    rest = [bag.draw(DETAILS[stop.place]), bag.draw(DEEDS[kind][stop.place]).format(**words)]
    if stop.weather in ("rain", "snow"):
        return " ".join([first, weather, rest[int(rng.integers(2))]])
    keep = [weather] if rng.random() < 0.3 else []
    return " ".join([first, *(rest if not keep else [rest[int(rng.integers(2))]]), *keep])


def _instruction(hero: Thing, stops: list[Stop], *, colour: bool, rng: np.random.Generator) -> tuple[str, int]:
    """An instruction that names the subject and the first few places, and how many of them."""
    name = f"{hero.colour} {hero.subject}" if colour else hero.subject
    a_name = f"{article_for(name)} {name}"
    kind = rng.random()
    if kind < 0.4:  # a title or a wish
        asked = int(rng.integers(1, min(3, len(stops)) + 1))
        where = join([AT_PLACE[stop.place] for stop in stops[:asked]])
        time = f" {AT_TIME[stops[0].time]}" if asked == 1 and rng.random() < 0.4 else ""
        forms = (
            f"The {name} {where}{time}", f"{sentence(a_name)} {where}{time}", f"A story about {a_name} {where}{time}",
            f"Write about {a_name} {where}{time}.", f"A day with the {name} {where}{time}",
            f"The journey of {a_name}: {where}{time}", f"Tell me about the {name} {where}{time}.",
        )  # fmt: skip
        return forms[int(rng.integers(len(forms)))], asked
    if kind < 0.7:  # keywords
        asked = int(rng.integers(1, min(4, len(stops)) + 1))
        words = [name, *(stop.place for stop in stops[:asked])]
        if asked == 1 and rng.random() < 0.4:
            words.append(stops[0].time)
        separator = ", " if rng.random() < 0.7 else "; "
        return ("Keywords: " if rng.random() < 0.4 else "") + separator.join(words), asked
    asked = len(stops)
    lines = []
    for number, stop in enumerate(stops):
        time = f" {AT_TIME[stop.time]}" if rng.random() < 0.5 else ""
        subject = f"the {name}" if number == 0 else "" if rng.random() < 0.5 else f"the {hero.subject}"
        lines.append("- " + sentence(f"{subject} {AT_PLACE[stop.place]}{time}".strip()))
    head = ("", "Outline:\n", f"{sentence(a_name)}:\n")[int(rng.integers(3))]
    return head + "\n".join(lines), asked


def _title(hero: Thing, stops: list[Stop], *, colour: bool, rng: np.random.Generator) -> str:
    name = f"{hero.colour.title()} {hero.subject.title()}" if colour else hero.subject.title()
    place = stops[0].place.title()
    at = AT_PLACE[stops[0].place].replace(stops[0].place, place)
    forms = (f"The {name} {at}", f"The {name} and the {place}", f"A Day with the {name}")
    return forms[int(rng.integers(len(forms)))]


def make_story(seed: int, *, held: bool = False, stranger: bool = False) -> Story:
    """One story; with `held`, all its places are kept away from training for its subject, who may be a `stranger`."""
    rng = np.random.default_rng([seed, 2 if stranger else 1 if held else 0])
    names = list(STRANGERS if stranger else SUBJECTS)
    subject = names[int(rng.integers(len(names)))]
    colours = list(PALETTE) if stranger else SUBJECTS[subject]
    hero = Thing(subject, colours[int(rng.integers(len(colours)))])
    names_colour = bool(rng.random() < 0.5)
    places = allowed_places(subject, held=held)
    count = 3 if held else int(rng.integers(2, 6))
    chosen = [places[int(i)] for i in rng.permutation(len(places))[:count]]
    start = int(rng.integers(4))
    stops = [
        Stop(place, TIMES[(start + number) % 4], WEATHERS[int(rng.choice(4, p=[0.4, 0.2, 0.2, 0.2]))])
        for number, place in enumerate(chosen)
    ]
    instruction, asked = _instruction(hero, stops, colour=names_colour, rng=rng)
    bag = _Bag(rng)
    name = f"{hero.colour} {subject}" if names_colour else subject
    opening = bag.draw(OPENINGS_WALK if kind_of(subject) == "static" else OPENINGS_TRAVEL)
    paragraphs = [Paragraph(f"{opening.format(a=f'{article_for(name)} {name}')} {bag.draw(OPENING_TAILS)}")]
    thoughts = int(rng.integers(1 if count <= 2 else 0, min(3, 8 - count)))
    slots = sorted(int(i) for i in rng.permutation(count)[:thoughts])
    for number, stop in enumerate(stops):
        paragraphs.append(Paragraph(_scene_text(hero, stop, bag, rng), stop))
        if number in slots:
            elsewhere = [place for place in PLACES if place not in chosen]
            half = THOUGHTS[:7] if number == slots[0] else THOUGHTS[7:]
            thought = bag.draw(half).format(q=elsewhere[int(rng.integers(len(elsewhere)))])
            paragraphs.append(Paragraph(thought))
    paragraphs.append(Paragraph(bag.draw(CLOSINGS)))
    return Story(
        hero=hero,
        names_colour=names_colour,
        instruction=instruction,
        asked_places=tuple(chosen[:asked]),
        title=_title(hero, stops, colour=names_colour, rng=rng),
        paragraphs=tuple(paragraphs),
    )


def without_colour(story: Story) -> Story:
    """The same story told without ever naming its subject's colour: only its pictures show it."""
    colour = story.hero.colour
    name, bare = f"{colour} {story.hero.subject}", story.hero.subject

    def strip(text: str) -> str:
        text = text.replace(f"{article_for(colour)} {name}", f"{article_for(bare)} {bare}")
        text = text.replace(f"{article_for(colour).title()} {name}", f"{article_for(bare).title()} {bare}")
        return text.replace(name, bare).replace(name.title(), bare.title())

    return replace(
        story,
        names_colour=False,
        instruction=strip(story.instruction),
        title=strip(story.title),
        paragraphs=tuple(Paragraph(strip(paragraph.text), paragraph.stop) for paragraph in story.paragraphs),
    )
