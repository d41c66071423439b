"""Put declarative shadow trees into their hosts, as a browser shows them.

    <x-step><template shadowrootmode="open"><p>Wait.</p><slot></slot></template><img src="a.png"></x-step>

The shadow tree is shown in the place of the host's children, and each child in the slot that it names (HTML
Standard, shadowrootmode; DOM Standard, slots). A child without a slot is not shown. Other templates are not
shown at all.
"""

from __future__ import annotations

from collections import deque

from selectolax.lexbor import LexborNode

_MODES = frozenset({"open", "closed"})


def open_shadows(body: LexborNode) -> None:
    """Show all shadow trees of a page, also those inside of others. Linear in its nodes."""
    waiting, hosts = deque(body.css("template")), set[int]()
    while waiting:
        template = waiting.popleft()
        attributes, host = template.attributes, template.parent
        mode = attributes.get("shadowrootmode") or attributes.get("shadowroot") or ""
        if mode.lower() not in _MODES or host is None or host.mem_id in hosts:
            continue
        fragments = template.template_fragments()
        if not fragments:  # of SVG and MathML
            continue
        hosts.add(host.mem_id)
        fragment = fragments[0]
        waiting.extend(fragment.css("template"))
        _fill_slots(fragment, host, template)
        for child in list(fragment.iter(include_text=True)):
            template.insert_before(child, move=True)
        template.remove()


def _fill_slots(fragment: LexborNode, host: LexborNode, template: LexborNode) -> None:
    """Move the children of a host into the slots of its shadow tree; those without one are removed."""
    slots: dict[str, LexborNode] = {}
    for slot in fragment.css("slot"):
        slots.setdefault(slot.attributes.get("name") or "", slot)
    filled: set[str] = set()
    for child in list(host.iter(include_text=True)):
        tag = child.tag or ""
        if child.mem_id == template.mem_id or tag == "template":
            continue
        name = (child.attributes.get("slot") or "") if tag[:1] != "-" else ""
        if name in slots:
            slots[name].insert_before(child, move=True)
            if tag[:1] != "-" or (child.text_content or "").strip():
                filled.add(name)
        else:
            child.remove()
    for name, slot in slots.items():
        if name in filled:
            slot.remove()
