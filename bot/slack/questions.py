"""What a person typed -> a question. Never raises, whatever the text; nothing in it is trusted.

Slack changes what people type (links, escapes, mentions) and so do keyboards (smart quotes, long dashes): all of that is
undone before words are looked at.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

LONGEST: Final = 1_000
"""Characters of a question that are read; no question needs more."""
_SHOWN: Final = 200

Language = str
LANGUAGES: Final = ("en", "ko")
"""Those that ship; who has the playbooks says which there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why has this pod no node? `pod` may be a part of a name, or a workload's. Empty fields were not given.

    `pod` and `namespace` have the form of Kubernetes names; `cluster` is a name of the operator's or a context.
    """

    pod: str
    namespace: str = ""
    cluster: str = ""
    language: Language = ""

    @property
    def asked(self) -> str:
        """The pod as the person named it."""
        return f"{self.namespace}/{self.pod}" if self.namespace else self.pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Another question than why: `verb` is a key of `VERBS`; `words` are what follows it, as typed, trimmed of marks."""

    verb: str
    words: tuple[str, ...] = ()
    namespace: str = ""
    cluster: str = ""
    language: Language = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """How does one ask? `topic` is a command's name, or empty."""

    topic: str = ""
    language: Language = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUnderstood:
    """`code` is the key of the sentence `error.<code>`; `text` what is wrong; `did_you_mean` a command to try, or empty."""

    code: str
    text: str
    did_you_mean: str = ""
    language: Language = ""


Command = Why | Ask | Help | NotUnderstood

_WHY: Final = frozenset({"why", "왜"})
_HELP: Final = frozenset({"help", "도움말", "도움", "사용법"})
VERBS: Final[Mapping[str, frozenset[str]]] = {
    "audit": frozenset({"감사", "감사기록"}),
    "offerings": frozenset({"offering", "오퍼링", "가격"}),
    "nodepools": frozenset({"nodepool", "노드풀"}),
    "settings": frozenset({"설정"}),
    "why-gone": frozenset({"gone", "whygone", "왜사라졌어", "사라진이유"}),
}
"""The verbs of `Ask` and the words that mean them, in small letters; each needs a handler (bot.slack.services.Verb)."""
_SPOKEN: Final = {word: verb for verb, words in VERBS.items() for word in {verb, *words}}
_VERBS: Final = ("why", "help", *VERBS)
# words around a name in a sentence ("why is my-pod pending?"); a pod may bear one of them when it stands alone
_FILLERS: Final = frozenset(
    [
        "is",
        "are",
        "does",
        "the",
        "pod",
        "pods",
        "pending",
        "stuck",
        "not",
        "scheduled",
        "unschedulable",
        "running",
        "starting",
        "still",
    ]
)
_KINDS: Final = frozenset(
    [
        "po",
        "pod",
        "pods",
        "deploy",
        "deployment",
        "deployments",
        "rs",
        "replicaset",
        "replicasets",
        "sts",
        "statefulset",
        "statefulsets",
        "job",
        "jobs",
        "cronjob",
        "cronjobs",
        "jobset",
        "jobsets",
        "trainjob",
        "trainjobs",
        "pytorchjob",
        "mpijob",
        "raycluster",
        "rayjob",
        "lws",
        "leaderworkerset",
    ]
)
_OPTIONS: Final = {
    "n": "namespace",
    "ns": "namespace",
    "namespace": "namespace",
    "c": "cluster",
    "cluster": "cluster",
    "context": "cluster",
    "l": "language",
    "lang": "language",
    "language": "language",
    "region": "region",
}
_LANGUAGE_WORDS: Final = {
    "en": "en",
    "english": "en",
    "영어": "en",
    "ko": "ko",
    "kr": "ko",
    "korean": "ko",
    "한국어": "ko",
}

# docs.slack.dev, formatting message text: <@U1|name>, <#C1|name>, <!here>, <https://url|label>
_LINK: Final = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_SCHEME: Final = re.compile(r"^(?:https?://|mailto:)")
_QUOTES: Final = dict.fromkeys(map(ord, "`'\"´‘’‚‛“”„‟«»‹›「」『』<>"), " ")
_DASHES: Final = {**dict.fromkeys(map(ord, "‐‑‒–−﹣"), "-"), **dict.fromkeys(map(ord, "—―"), "--")}
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_PARTICLES: Final = re.compile(r"(?<=[0-9a-z])[가-힣]+$")
_AROUND: Final = ".,;:?!*_~"
"""Punctuation and Slack's bold, italic and strike marks; no name begins or ends with them."""

# apimachinery: pkg/util/validation, DNS-1123; a pod's name may be only its beginning and then ends as it likes
_POD: Final = re.compile(r"[0-9a-z](?:[-.0-9a-z]{0,251}[-0-9a-z])?")
_NAMESPACE: Final = re.compile(r"[0-9a-z](?:[-0-9a-z]{0,61}[0-9a-z])?")
_CLUSTER: Final = re.compile(r"[0-9A-Za-z_](?:[-.:/@0-9A-Za-z_]{0,251}[0-9A-Za-z_])?")


@dataclass(slots=True)
class _Words:
    """A text taken apart: plain words in order, options by their long name, the first thing that is wrong."""

    plain: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    wrong: tuple[str, str, str] | None = None


def parse_command(text: str, languages: Collection[str] = LANGUAGES) -> Command:
    """Reads `why POD`, `why NAMESPACE/POD`, `-n`, `--cluster`, `--lang`, `help`, also after a mention, also in Korean.

    No text at all asks for help. `languages`: the codes that `--lang` takes.
    """
    whole = " ".join(_tokens(text))
    words = _words(whole.split())
    spoken = words.options.get("language", "").lower()[:8].split("-")[0]
    language = _LANGUAGE_WORDS.get(spoken, spoken if spoken in languages else "")
    if words.wrong:
        code, wrong, near = words.wrong
        return NotUnderstood(code=code, text=wrong[:_SHOWN], did_you_mean=near, language=language)
    if words.options.get("language") and not language:
        return NotUnderstood(code="bad-language", text=words.options["language"][:_SHOWN])
    return _said([word.lower().strip(_AROUND) for word in words.plain], words, language, whole)


def _said(verbs: list[str], words: _Words, language: Language, whole: str) -> Command:
    if (verbs and verbs[0] in _HELP) or words.options.get("help") or not whole:
        topic = verbs[1] if len(verbs) > 1 and verbs[1] in _VERBS else ""
        return Help(topic=topic, language=language)
    if verbs and verbs[0] in _WHY:
        return _why(verbs[1:], words, language, whole)
    if verbs and verbs[0] in _SPOKEN:
        return _ask(_SPOKEN[verbs[0]], words, language)
    if "왜" in verbs:  # a Korean sentence asks at its end
        return _why([verb for verb in verbs if verb != "왜"], words, language, whole)
    code, near = ("bad-question", _meant(verbs)) if verbs else ("missing-pod", "")
    return NotUnderstood(code=code, text=whole[:_SHOWN], did_you_mean=near, language=language)


def question_text(question: Why) -> str:
    """The words that `parse_command` reads as this question."""
    namespace = f" -n {question.namespace}" if question.namespace else ""
    cluster = f" --cluster {question.cluster}" if question.cluster else ""
    language = f" --lang {question.language}" if question.language else ""
    return f"why {question.pod}{namespace}{cluster}{language}"


def _tokens(text: str) -> list[str]:
    """Words as the person meant them: without Slack's and the keyboard's additions."""
    plain = _LINK.sub(_link_words, text[:LONGEST])
    for entity, character in _ENTITIES:
        plain = plain.replace(entity, character)
    plain = unicodedata.normalize("NFKC", plain)[:LONGEST].translate(_QUOTES).translate(_DASHES)
    kept = (" " if c.isspace() else c for c in plain if c.isspace() or unicodedata.category(c)[0] != "C")
    return "".join(kept).split()


def _link_words(link: re.Match[str]) -> str:
    target, label = link.groups()
    if target.startswith(("@", "!")):
        return " "
    if target.startswith("#"):
        return f" {label or ''} "
    return label or _SCHEME.sub("", target).rstrip("/")


def _words(tokens: Sequence[str]) -> _Words:
    words = _Words()
    rest = list(reversed(tokens))
    while rest and words.wrong is None:
        token = rest.pop()
        name, assigned, value = token.lstrip("-").partition("=")
        if not any(map(str.isalnum, token)):
            continue  # a colon after a mention, a lone dash
        if not token.startswith("-"):
            words.plain.append(token)
        elif name.lower() in ("h", "help"):
            words.options["help"] = "yes"
        elif name.lower() not in _OPTIONS:
            near = get_close_matches(name.lower(), _OPTIONS, n=1)
            words.wrong = ("unknown-option", token, f"--{near[0]}" if near and len(near[0]) > 1 else "")
        elif value or (not assigned and rest and not rest[-1].startswith("-")):
            words.options[_OPTIONS[name.lower()]] = value or rest.pop()
        else:
            words.wrong = ("option-without-value", token, "")
    return words


def _meant(verbs: Sequence[str]) -> str:
    """The command that was probably meant by words that are none."""
    near = get_close_matches(verbs[0], _VERBS, n=1, cutoff=0.7)
    if near:
        return " ".join((near[0], *(v for v in verbs[1:3] if _NAME_LIKE.fullmatch(v))))
    return f"why {verbs[0]}" if len(verbs) == 1 and _NAME_LIKE.fullmatch(verbs[0]) else ""


_NAME_LIKE: Final = re.compile(r"(?=.*[-/0-9])[0-9a-z][-./0-9a-z]{1,100}")


def _why(given: Sequence[str], words: _Words, language: Language, whole: str) -> Command:
    names, namespace = _names(given)
    if not names:
        return NotUnderstood(code="missing-pod", text=whole[:_SHOWN], language=language)
    if len(names) > 1:
        near = f"why {names[0]}/{names[1]}" if len(names) == 2 and all(map(_POD.fullmatch, names)) else ""
        return NotUnderstood(code="bad-question", text=whole[:_SHOWN], did_you_mean=near, language=language)
    *before, pod = [part for part in names[0].split("/") if part] or [""]
    before = [part for part in before if part.partition(".")[0] not in _KINDS]
    namespace = before[0] if before else words.options.get("namespace", namespace).lower().strip(_AROUND)
    cluster = words.options.get("cluster", "")
    for code, part, form in (
        ("bad-pod-name", "/".join((*before[1:], pod)), _POD),
        ("bad-namespace", namespace, _NAMESPACE),
        ("bad-cluster", cluster, _CLUSTER),
    ):
        if not form.fullmatch(part) and (part or code == "bad-pod-name"):
            return NotUnderstood(code=code, text=part[:_SHOWN], language=language)
    return Why(pod=pod, namespace=namespace, cluster=cluster, language=language)


def _ask(verb: str, words: _Words, language: Language) -> Command:
    namespace = words.options.get("namespace", "").lower().strip(_AROUND)
    cluster = words.options.get("cluster", "")
    if namespace and not _NAMESPACE.fullmatch(namespace):
        return NotUnderstood(code="bad-namespace", text=namespace[:_SHOWN], language=language)
    if cluster and not _CLUSTER.fullmatch(cluster):
        return NotUnderstood(code="bad-cluster", text=cluster[:_SHOWN], language=language)
    told = tuple(word for word in (one.strip(_AROUND) for one in words.plain[1:]) if word)
    told += tuple(value for name, value in words.options.items() if name == "region")  # as if it stood behind the name
    return Ask(verb=verb, words=told, namespace=namespace, cluster=cluster, language=language)


def _names(given: Sequence[str]) -> tuple[list[str], str]:
    """What is left of a sentence once its small words are gone, and the namespace of an `in NAMESPACE`."""
    words = [word for word in (_PARTICLES.sub("", one).strip(_AROUND) for one in given) if word]
    namespace = ""
    if len(words) > 2 and "in" in words[1:-1]:
        at = words.index("in", 1)
        after = [word for word in words[at + 1 :] if word not in ("namespace", "ns")]
        words, namespace = words[:at] + after[1:], after[0] if after else ""
    if len(words) > 1:
        telling = [word for word in words if word not in _FILLERS | _KINDS and not _is_korean(word)]
        words = telling or words[:1]
    return words, namespace


def _is_korean(word: str) -> bool:
    return all("가" <= character <= "힣" for character in word)
