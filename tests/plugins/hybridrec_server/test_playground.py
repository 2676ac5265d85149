"""The playground in a real browser, before a small server whose answers keep `schemas`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybridrec_server.schemas import MAX_N, Problem, RecommendRequest
from tests.contrast import brightness, contrast
from tests.docs.markdown import python
from tests.plugins.hybridrec_server.browser import CHROMIUM, Page, opened
from tests.plugins.hybridrec_server.playground_server import FOLDER, KEY, PLAYGROUND, WEIGHTS, FakeBundle, served

browser = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian: apt-get install chromium)")
ROWS = "document.querySelectorAll('[data-side={side}] .places li[data-id]')"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all tests."""
    with opened(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def bundle() -> FakeBundle:
    return FakeBundle()


@pytest.fixture
def address(bundle: FakeBundle) -> Iterator[str]:
    with served(bundle) as address:
        yield address


@pytest.fixture
def walk(page: Page, address: str) -> Iterator[Walk]:
    """The page on a screen of a desk; afterwards it must not have complained of anything."""
    page.complaints.clear()
    page.look()
    yield Walk(page, address)
    assert page.complaints == []


class Walk:
    """A person at the page: steps, and the view."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address

    def open(self, fragment: str = "") -> None:
        self.page.open(f"{self.address}/{fragment}")
        self.drawn()

    def drawn(self) -> None:
        """Wait until both slates are those of the last request."""
        self.page.wait("[...document.querySelectorAll('.slate')].map((s) => s.ariaBusy).join() === 'false,false'")

    def slate(self, side: str = "left") -> list[str]:
        return self.page.run(f"[...{ROWS.format(side=side)}].map((row) => row.dataset.id)")

    def proposed(self) -> list[list[str]]:
        """The labels under each place of the slate on the left."""
        labels = "[...row.querySelectorAll('.sources .key')].map((key) => key.textContent)"
        return self.page.run(f"[...{ROWS.format(side='left')}].map((row) => {labels})")

    def texts(self, selector: str) -> list[str]:
        return self.page.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)")

    def fragment(self) -> str:
        return self.page.run("location.hash")

    def type(self, label: str, text: str) -> None:
        """Type into the field of this label."""
        self.page.run(
            f"[...document.querySelectorAll('label')].find((l) => l.textContent === {label!r}).control.focus()"
        )
        self.page.type(text)

    def pick(self, label: str, text: str) -> None:
        """Type into a field with type-ahead, and take the first hit by the keyboard."""
        self.type(label, text)
        self.page.wait("document.querySelector('.hits [aria-selected=true]')")
        self.page.press("Enter")
        self.page.wait("!document.querySelector('.hits li')")
        self.drawn()

    def enter(self, label: str, value: str) -> None:
        """Set the control of this name to a value, as a person who then leaves it."""
        self.page.run(
            f"""(() => {{
                const control = document.querySelector('[aria-label="{label}"]');
                control.value = {json.dumps(value)};
                control.dispatchEvent(new Event("change", {{ bubbles: true }}));
            }})()"""
        )
        self.drawn()

    def slide(self, side: str, label: str, weight: float) -> None:
        """Move a slider as a hand does: it says `input` at each step."""
        self.page.run(
            f"""(() => {{
                const input = document.querySelector("[data-side={side}] [aria-label='Weight of {label}']");
                input.value = {weight};
                input.dispatchEvent(new Event("input", {{ bubbles: true }}));
            }})()"""
        )


def script(body: str, *modules: str) -> str:
    """The expression that imports modules of the page and runs a body which returns."""
    names = ", ".join(modules)
    imports = ", ".join(f"import('/{name}.js')" for name in modules)
    return f"Promise.all([{imports}]).then(([{names}]) => {{ {body} }})"


def test_files_hold_nothing_that_the_policy_forbids_and_no_address_of_others():
    files = [file for file in PLAYGROUND.iterdir() if file.is_file()]
    assert {file.suffix for file in files} == {".html", ".css", ".js"}
    html = (PLAYGROUND / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)", html)
    for file in files:
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.[a-z]|@import|innerHTML|insertAdjacentHTML|\beval\(", text), (
            file.name
        )


def test_every_module_and_style_that_is_named_is_there():
    named = {
        name
        for file in PLAYGROUND.iterdir()
        for name in re.findall(r'(?:from |href=|src=)"(?:\./)?([\w.-]+\.(?:js|css))"', file.read_text(encoding="utf-8"))
    }
    assert named == {file.name for file in PLAYGROUND.iterdir()} - {"index.html"}


@browser
def test_two_pipelines_stand_side_by_side_and_differences_are_marked(walk: Walk):
    walk.open("#item=Dark+Star&has.tags=year:1972")
    left, right = walk.slate("left"), walk.slate("right")
    assert len(left) == len(right) == 10
    marks = dict(zip(left, walk.texts("[data-side=left] .mark"), strict=True))
    for place, song in enumerate(left):
        if song not in right:
            assert marks[song] == "only here"
        elif by := right.index(song) - place:
            words = f"{abs(by)} {'higher' if by > 0 else 'lower'} than in control"
            assert marks[song] == f"{'↑' if by > 0 else '↓'}{abs(by)}{words}"
        else:
            assert marks[song] == ""
    assert "only here" in marks.values()
    assert len(set(marks.values())) > 2
    shared = len({*left} & {*right})
    assert walk.texts("[data-side=left] .parts") == [f"served by blend:items · {shared} of 10 also in control"]


@browser
def test_bars_show_the_summands_of_the_score_and_sources_say_who_proposed(walk: Walk, bundle: FakeBundle):
    walk.open("#item=Dark+Star")
    answer = bundle.explain(RecommendRequest(items=["Dark Star"])).model_dump()
    measured = walk.page.run(
        f"""[...{ROWS.format(side="left")}].map((row) => {{
            const bar = row.querySelector(".bar").getBoundingClientRect();
            return [...row.querySelectorAll(".piece")].map((piece) => {{
                const box = piece.getBoundingClientRect();
                return [piece.title, (box.left - bar.left) / bar.width, box.width / bar.width];
            }});
        }})"""
    )
    lowest = max(sum(-min(0, each["value"]) for each in place["contributions"]) for place in answer["items"])
    highest = max(sum(max(0, each["value"]) for each in place["contributions"]) for place in answer["items"])
    for place, pieces in zip(answer["items"], measured, strict=True):
        ends = [lowest, lowest]
        expected = []
        for each in place["contributions"]:
            if each["value"] < 0:
                ends[0] += each["value"]
                expected.append((each["label"], ends[0], -each["value"]))
            elif each["value"] > 0:
                expected.append((each["label"], ends[1], each["value"]))
                ends[1] += each["value"]
        assert [piece[0].split()[0] for piece in pieces] == [label for label, _, _ in expected]
        for (_, start, size), (_, left, width) in zip(expected, pieces, strict=True):
            assert left * (lowest + highest) == pytest.approx(start, abs=0.02)
            assert width * (lowest + highest) == pytest.approx(size, abs=0.02)
    proposed = walk.proposed()
    assert proposed == [place["sources"] for place in answer["items"]]


@browser
def test_sliders_rank_the_candidates_anew_without_asking_the_server(walk: Walk, bundle: FakeBundle):
    walk.open("#item=Dark+Star")
    served_slate = walk.slate()
    candidates = json.loads(bundle.explain(RecommendRequest(items=["Dark Star"])).model_dump_json())["candidates"]
    asked = len(bundle.asked)
    walk.slide("left", "als", 0.6)
    walk.slide("left", "tags", 0.05)
    weights = {"ease": WEIGHTS["ease"], "als": 0.6, "tags": 0.05}
    sums = [
        sum(weights[label] * (values[place] or 0) for label, values in candidates["columns"].items())
        for place in range(len(candidates["ids"]))
    ]
    order = sorted(range(len(sums)), key=lambda place: -sums[place])[:10]
    assert walk.slate() == [candidates["ids"][place] for place in order]
    assert walk.slate() != served_slate
    shown = [float(text) for text in walk.texts("[data-side=left] .score")]
    assert shown == pytest.approx([sums[place] for place in order], abs=2e-3)
    sources = walk.proposed()
    assert sources == [candidates["sources"][place] for place in order]
    assert len(bundle.asked) == asked
    walk.page.wait("decodeURIComponent(location.hash).includes('\"als\":0.6')")
    moved = walk.fragment()
    walk.page.run("[...document.querySelectorAll('button')].find((b) => b.textContent === 'As served').click()")
    assert walk.slate() == served_slate
    walk.open(moved)
    ranked = json.dumps(json.dumps([candidates["ids"][place] for place in order], separators=(",", ":")))
    walk.page.wait(f"JSON.stringify([...{ROWS.format(side='left')}].map((row) => row.dataset.id)) === {ranked}")


@browser
def test_what_is_typed_is_asked_and_the_link_restores_it(walk: Walk, bundle: FakeBundle):
    walk.open()
    walk.pick("Items", "suga")
    walk.pick("Items", "bert")
    walk.pick("Tags", "1977")
    walk.pick("Not these", "althea")
    walk.pick("Person", "grace")
    walk.type("Title", "Winterland")
    walk.page.wait("location.hash.includes('Winterland')")
    walk.drawn()
    walk.page.run("document.querySelector('[aria-label=\"Add a filter\"]').focus()")
    walk.page.press("d")
    walk.page.wait("location.hash.includes('filter')")
    walk.drawn()
    slates = walk.slate("left"), walk.slate("right")
    stated = {
        "user": "Grace", "text": "Winterland", "items": ["Sugaree", "Bertha"], "tags": ["year:1977"],
        "disliked": ["Althea"], "filters": [{"column": "decade", "is": "1960s"}], "n": 10,
    }  # fmt: skip
    asked = last_two(bundle)
    assert asked == [stated | {"pipeline": "control"}, stated | {"pipeline": "hybrid"}]
    link = walk.fragment()
    walk.page.open("about:blank")
    walk.open(link)
    assert (walk.slate("left"), walk.slate("right")) == slates
    assert last_two(bundle) == asked
    assert walk.texts(".chips li span") == ["Grace", "Sugaree", "Bertha", "year:1977", "Althea"]
    assert walk.fragment() == link


@browser
def test_type_ahead_is_a_combobox_for_keyboard_and_screen_reader(walk: Walk):
    walk.open()
    walk.type("Items", "st")
    walk.page.wait("document.querySelector('.hits li')")
    state = """(() => {
        const input = document.activeElement;
        const option = document.getElementById(input.getAttribute("aria-activedescendant"));
        return [input.role, input.ariaExpanded, option?.textContent];
    })()"""
    assert walk.page.run(state) == ["combobox", "true", "Dark Star"]
    walk.page.press("ArrowDown")
    second = walk.page.run(state)[2]
    assert second == "Jack Straw"
    walk.page.press("Escape")
    assert walk.page.run(state) == ["combobox", "false", None]
    walk.page.press("Enter")
    walk.drawn()
    assert walk.texts(".chips li span") == ["st"], "a text without a hit is an id as it is"
    assert walk.texts("[data-side=left] .note") == ["The data does not have st."]
    walk.page.press("Backspace")
    walk.drawn()
    assert walk.texts(".chips li span") == []


@browser
def test_a_like_and_a_dislike_change_the_next_slate(walk: Walk, bundle: FakeBundle):
    walk.open("#has.tags=year:1972")
    before = walk.slate()
    walk.page.click("[data-side=left] .places li .like")
    walk.page.wait("document.querySelector('.since')")
    walk.drawn()
    (event,) = bundle.events
    assert (event["item"], event["kind"]) == (before[0], "like")
    assert re.fullmatch(r"visitor-\w+-\w+", event["user"])
    assert event["request"].startswith("r")
    assert walk.texts("#ask .chips li span")[0] == event["user"]
    after = walk.slate()
    assert before[0] not in after
    came = [song for song in after if song not in before]
    assert came
    assert (
        walk.page.run(f"[...{ROWS.format(side='left')}].filter((r) => r.matches('.fresh')).map((r) => r.dataset.id)")
        == came
    )
    said = walk.texts("[data-side=left] .since")[0]
    assert said.startswith(f"Since your like of {before[0]}: {len(came)} new, ")
    assert f"gone: {before[0]}" in said or before[0] in said
    walk.page.run("document.querySelectorAll('[data-side=right] .title')[1].focus()")
    disliked = walk.slate("right")[1]
    walk.page.press("d")
    walk.page.wait("document.querySelector('.since')?.textContent.includes('dislike')")
    walk.drawn()
    assert [(each["item"], each["kind"]) for each in bundle.events] == [(before[0], "like"), (disliked, "dislike")]
    assert disliked not in walk.slate("right")


@browser
def test_a_place_opens_with_its_sum_and_arrows_go_through_the_slate(walk: Walk):
    walk.open("#item=Dark+Star")
    walk.page.run("document.querySelector('[data-side=left] .title').focus()")
    walk.page.press("ArrowDown")
    walk.page.press("Enter")
    walk.page.wait("document.querySelector('.details dd')")
    focused = "document.activeElement.closest('li').dataset.id"
    assert walk.page.run(focused) == walk.slate()[1]
    rows = walk.texts("[data-side=left] .details tbody tr")
    table = [
        walk.page.run(
            f"[...document.querySelectorAll('[data-side=left] .details tbody tr')[{n}].cells].map((c) => c.textContent)"
        )
        for n in range(len(rows))
    ]
    for label, weight, opinion, summand in table:
        assert float(weight) == WEIGHTS[label]
        assert float(weight) * float(opinion) == pytest.approx(float(summand), rel=0.01)
    assert float(walk.texts("[data-side=left] .details tfoot td")[0]) == pytest.approx(
        sum(float(row[3]) for row in table), abs=2e-3
    )
    assert walk.texts("[data-side=left] .details dt") == ["tags", "minutes", "had by"]
    walk.page.press("End")
    assert walk.page.run(focused) == walk.slate()[-1]
    reached = walk.page.run(
        "[...document.querySelectorAll('[data-side=left] [data-act]')].filter((b) => b.tabIndex === 0).length"
    )
    assert reached == 3, "the tab key stops at one place of a slate, not at all of them"


@browser
def test_the_next_page_is_added(walk: Walk):
    walk.open("#item=Dark+Star")
    first = walk.slate()
    walk.page.click("[data-side=left] .more")
    walk.page.wait(f"{ROWS.format(side='left')}.length === 20")
    assert walk.slate()[:10] == first
    assert len({*walk.slate()}) == 20


@browser
def test_a_request_is_copied_as_curl_and_as_python(walk: Walk, bundle: FakeBundle, tmp_path: Path):
    page, address = walk.page, walk.address
    walk.open("#user=O%27Neil&item=Truckin%27&filter=" + '{"column":"cover","is":true}')
    shell, program = walk.texts("#curl")[0], walk.texts("#python")[0]
    request = {
        "user": "O'Neil",
        "items": ["Truckin'"],
        "filters": [{"column": "cover", "is": True}],
        "n": 10,
        "pipeline": "hybrid",
    }
    words = shlex.split(shell.replace("\\\n", ""))
    assert words[:2] == ["curl", "-s"]
    assert words[2] == f"{address}/v1/recommend"
    assert json.loads(words[words.index("-d") + 1]) == request
    bundle.asked.clear()
    printed = python("-W", "error", "-c", program, cwd=tmp_path)
    assert [line.split(maxsplit=1)[1].rpartition(" ")[0] for line in printed.splitlines()] == walk.slate()
    assert [(path, json.loads(body)) for path, body in bundle.asked] == [("/v1/recommend", request)]
    page.send("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=address)
    for name, text in (("curl", shell), ("python", program)):
        walk.page.click(f"#copy-{name}")
        walk.page.wait("document.querySelector('#toast.shown')")
        assert walk.page.run("navigator.clipboard.readText()") == text
    walk.page.click("#link")
    walk.page.wait("document.querySelector('#toast').textContent === 'Link copied'")
    assert walk.page.run("navigator.clipboard.readText()") == walk.page.run("location.href")


@browser
def test_problems_are_said_in_words_and_name_the_field(walk: Walk, bundle: FakeBundle, page: Page):
    walk.open()
    errors = [{"path": "items[3]", "message": "is not text"}]
    bundle.fault = Problem.model_validate(
        {
            "type": "x",
            "title": "The request is not valid",
            "status": 422,
            "detail": "1 mistake",
            "trace": "t",
            "errors": errors,
        }
    )
    walk.type("Title", "x")
    walk.page.wait("!document.querySelector('#problem').hidden")
    assert walk.texts("#problem p") == ["The request is not valid. 1 mistake."]
    assert walk.texts("#problem li") == ["items[3] is not text"]
    assert walk.page.run("document.querySelector('[aria-invalid]').closest('.field').dataset.name") == "items"
    bundle.fault = Problem.model_validate(
        {"type": "x", "title": "Overloaded", "status": 503, "detail": "the queue is full", "trace": "t"}
    )
    walk.page.click("#problem button")
    walk.page.wait("document.querySelector('#problem').textContent.includes('Overloaded')")
    assert walk.texts("#problem p") == ["Overloaded. The queue is full. Try again in 2 seconds."]
    bundle.fault = None
    walk.page.click("#problem button")
    walk.page.wait("document.querySelector('#problem').hidden")
    walk.drawn()
    assert len(walk.slate()) == 10
    # The browser itself notes answers with an error status; the page adds nothing.
    assert all("Failed to load resource" in complaint for complaint in page.complaints)
    page.complaints.clear()


@browser
def test_a_key_is_asked_for_and_stays_out_of_the_link(walk: Walk, bundle: FakeBundle, page: Page):
    bundle.locked = True
    page.open(walk.address)
    page.wait("!document.querySelector('#unlock').hidden")
    assert "A key is needed" in walk.texts("#problem")[0]
    page.wait("document.activeElement.id === 'key'")
    page.type(KEY)
    page.press("Enter")
    walk.drawn()
    assert len(walk.slate()) == 10
    assert page.run("document.querySelector('#unlock').hidden && document.querySelector('#problem').hidden")
    assert "sesame" not in page.run("location.href + document.body.innerText")
    assert "$HYBRIDREC_KEY" in walk.texts("#curl")[0]
    assert all("401" in complaint for complaint in page.complaints)
    page.complaints.clear()
    page.run("sessionStorage.clear()")


@browser
def test_a_slate_may_have_as_many_places_as_the_server_takes(walk: Walk, bundle: FakeBundle):
    walk.open(f"#n={MAX_N}")
    assert last_two(bundle)[0]["n"] == MAX_N
    assert walk.page.run("document.querySelector('#n').max") == str(MAX_N)
    walk.open(f"#n={MAX_N + 1}")
    assert last_two(bundle)[0]["n"] == 10


@browser
def test_a_link_with_anything_in_it_does_no_harm(walk: Walk, bundle: FakeBundle):
    walk.open(
        "#item=%3Cimg%20src=x%20onerror=alert(1)%3E&left=nobody&n=1e9&filter={&filter=[]&filter=null&left.weights=7&has.nothing=a&target=__proto__"
    )
    assert walk.texts(".chips li span") == ["<img src=x onerror=alert(1)>"]
    assert walk.page.run("document.images.length") == 0
    assert last_two(bundle)[0] == {"items": ["<img src=x onerror=alert(1)>"], "n": 10, "pipeline": "control"}


@browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_it_can_be_read_on_a_desk_and_a_phone_by_day_and_night(walk: Walk, width: int, dark: bool):
    walk.page.look(width, 844, dark)
    walk.open("#item=Dark+Star&item=nobody&filter=" + '{"column":"minutes","from":3}')
    walk.page.run("document.querySelector('[data-side=left] .title').click()")
    walk.page.wait("document.querySelector('.details dd')")
    assert walk.page.run("document.documentElement.scrollWidth <= innerWidth")
    marks = ".muted, .parts, .only, .higher span, .score, .sources, .note, .number"
    inks = f"{marks}, dt, dd, td, .title, button, label, pre, input"
    pairs = walk.page.run(
        f"""[...document.querySelectorAll("{inks}")].filter((e) => e.checkVisibility() && !e.disabled).map((e) => {{
            let ground = e;
            while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
            return [e.className || e.tagName, getComputedStyle(e).color, getComputedStyle(ground).backgroundColor];
        }})"""
    )
    assert len(pairs) > 40
    paper = walk.page.run("getComputedStyle(document.body).backgroundColor")
    assert (brightness(paper) < 0.2) == dark
    assert [pair for pair in pairs if contrast(*pair[1:]) < 4.5] == []
    shown = walk.page.run("[...document.querySelectorAll('.slate')].filter((s) => s.checkVisibility()).length")
    assert shown == (1 if width < 600 else 2)
    if width < 600:
        walk.page.click(".switch button:last-child")
        assert (
            walk.page.run("[...document.querySelectorAll('.slate')].find((s) => s.checkVisibility()).dataset.side")
            == "right"
        )
        small = walk.page.run(
            "[...document.querySelectorAll('.act, .chips button, .switch button')].filter((b) => b.checkVisibility())"
            ".map((b) => b.getBoundingClientRect()).filter(({width, height}) => width < 24 || height < 24).length"
        )
        assert small == 0


@browser
def test_everything_that_can_be_pressed_has_a_name(walk: Walk):
    walk.open("#item=Dark+Star&filter=" + '{"column":"written","from":3}')
    tree = walk.page.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "combobox", "textbox", "searchbox", "slider", "spinbutton", "list", "listbox", "image", "Date"}
    nameless = [
        node for node in tree if _value(node, "role") in roles and not _value(node, "name") and not node.get("ignored")
    ]
    labelled = [node for node in tree if _value(node, "role") in roles - {"list"} and not node.get("ignored")]
    assert len(labelled) > 60
    assert [_value(node, "role") for node in nameless if _value(node, "role") != "list"] == []


@browser
def test_filters_have_the_controls_of_their_type(walk: Walk, bundle: FakeBundle):
    walk.open()

    def rules() -> list[dict[str, Any]]:
        body, other = last_two(bundle)
        assert body.get("filters") == other.get("filters")
        return body.get("filters", [])

    walk.enter("Add a filter", "minutes")
    assert rules() == [{"column": "minutes", "from": 2}]
    walk.enter("minutes, to", "9.5")
    walk.enter("minutes: condition", "not")
    minutes = {"column": "minutes", "from": 2, "to": 9.5, "not": True}
    assert rules() == [minutes]
    walk.enter("Add a filter", "written")
    walk.enter("written, from", "1971-01-01")
    walk.enter("written, to", "1971-12-31")
    written = {"column": "written", "from": 31_536_000, "to": 2 * 31_536_000 - 1}
    walk.enter("Add a filter", "cover")
    walk.enter("cover: value", "false")
    walk.enter("Add a filter", "decade")
    walk.enter("decade: value", "1970s")
    others = [written, {"column": "cover", "is": False}, {"column": "decade", "is": "1970s"}]
    assert rules() == [minutes, *others]
    walk.page.click("[aria-label='Remove the filter on minutes']")
    walk.drawn()
    assert rules() == others
    walk.open(walk.fragment())
    assert rules() == others
    assert walk.page.run("document.querySelector('[aria-label=\"written, to\"]').value") == "1971-12-31"


@browser
def test_ids_of_a_link_are_named_by_what_the_server_has_of_them(walk: Walk, bundle: FakeBundle):
    bundle.titles = {"1": "Dark Star"}
    walk.open("#item=1&has.tags=year:1977&user=Ada")
    walk.page.wait("document.querySelector('.chips li span').textContent === 'Ada'")
    walk.page.wait("[...document.querySelectorAll('.chips li span')].some((e) => e.textContent === 'Dark Star')")
    asked = [(path, query) for path, query in bundle.asked if path.startswith(("/v1/items/", "/v1/search"))]
    assert sorted(asked, key=str) == [
        ("/v1/items/1", {}),
        ("/v1/items/year%3A1977", {"kind": "tags"}),
        ("/v1/search", {"q": "Ada", "kind": "users", "n": "50"}),
    ]


@browser
def test_an_id_that_an_address_loses_is_not_asked_for(walk: Walk, bundle: FakeBundle):
    walk.open()
    before = len(bundle.asked)
    for name in ("", ".", ".."):
        said = walk.page.run(script(f"return api.details('{name}', 'items').then(() => '', (e) => e.words)", "api"))
        assert said == f"The id “{name}” cannot stand in an address."
    assert len(bundle.asked) == before


@browser
def test_another_bundle_is_taken_over(walk: Walk, bundle: FakeBundle):
    walk.open("#item=Dark+Star")
    assert walk.texts("#bundle") == ["bundle " + "b" * 12]
    bundle.digest = "c" * 64
    walk.pick("Tags", "1977")
    walk.page.wait(f"document.querySelector('#bundle').textContent === 'bundle {'c' * 12}'")
    walk.drawn()
    assert walk.texts(".chips li span") == ["Dark Star", "year:1977"]
    assert len(walk.slate()) == 10


@browser
def test_an_opened_title_shows_the_data_of_the_bundle_that_serves(walk: Walk, bundle: FakeBundle):
    walk.open("#item=Dark+Star&n=30")
    title = f"[data-side=left] li[data-id={json.dumps(walk.slate()[0])}]"
    told = f"[...document.querySelectorAll({json.dumps(title + ' .details dd')})].map((e) => e.textContent).join()"
    walk.page.click(f"{title} .title")
    walk.page.wait(f"{told}.includes('6.5')")
    bundle.digest, bundle.minutes = "c" * 64, 9.25
    walk.pick("Tags", "1977")
    walk.page.wait(f"document.querySelector('#bundle').textContent === 'bundle {'c' * 12}'")
    walk.drawn()
    if walk.page.run(f"document.querySelector({json.dumps(title + ' .details')}).hidden"):
        walk.page.click(f"{title} .title")
    walk.page.wait(f"{told} !== ''")
    assert "9.25" in walk.page.run(told)


@browser
def test_it_works_below_the_folder_of_a_proxy(walk: Walk):
    walk.page.open(f"{walk.address}{FOLDER}/#item=Dark+Star")
    walk.drawn()
    assert len(walk.slate()) == 10
    addresses = walk.page.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert len(addresses) > 8
    assert all(address.startswith(f"{walk.address}{FOLDER}/") for address in addresses if address.startswith("http"))
    assert f"{walk.address}{FOLDER}/v1/recommend" in walk.texts("#curl")[0]


@browser
def test_the_arithmetic_of_slates(walk: Walk):
    walk.open()
    result = walk.page.run(
        script(
            """
            const columns = { x: [1, null, 0.5], y: [0, 0.8, 0.5], unweighed: [9, 9, 9] };
            const candidates = { ids: ["a", "b", "c"], titles: ["A", "B", "C"], columns, weights: { x: 1, y: 1 } };
            const items = ["a", "c", "f"].map((id, index) => (
              { place: index + 1, id, title: id, score: id === "f" ? null : 1 }));
            const ranked = blend.places({ items, candidates }, { x: 0.5 });
            return {
              ranked: ranked.map(({ id, place, score }) => [id, place, score]),
              lowered: blend.places({ items, candidates }, { y: -2 }).map(({ id, score }) => [id, score]),
              tie: blend.places({ items, candidates }, { x: 0, y: 0 }).map(({ id }) => id),
              filled: blend.places({ items: [...items, ...items], candidates }, {}).map(({ id }) => id).slice(0, 4),
              marks: [...blend.differences([{ id: "a" }, { id: "b" }], [{ id: "b" }, { id: "c" }])],
              changes: blend.changes([{ id: "a" }, { id: "b" }], [{ id: "b" }, { id: "c" }]),
              extent: blend.extent(ranked),
            };
            """,
            "blend",
        )
    )
    assert result == {
        "ranked": [["b", 1, 0.8], ["c", 2, 0.75], ["a", 3, 0.5]],
        "lowered": [["a", 1], ["c", -0.5], ["b", -1.6]],
        "tie": ["a", "b", "c"],
        "filled": ["a", "c", "b", "f"],
        "marks": [["a", None], ["b", -1]],
        "changes": {"came": [{"id": "c"}], "left": [{"id": "a"}], "moved": 1},
        "extent": {"above": 0.8, "below": 0},
    }


def last_two(bundle: FakeBundle) -> list[dict[str, Any]]:
    """The last two requests, by their pipeline: a browser sends them at once."""
    bodies = [json.loads(body) for path, body in bundle.asked if path == "/v1/explain"][-2:]
    return sorted(bodies, key=lambda body: body["pipeline"])


def _value(node: dict[str, Any], name: str) -> str:
    return str(node.get(name, {}).get("value", ""))
