# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other nodes: to whom there is a link, what each says of itself in its Hello, who is not taken in. Pure."""

from __future__ import annotations

from typing import Dict, Optional

from ..commands import Changed, Connect, Disconnect, FetchSnapshot, Send, SendBack
from ..events import LinkDown, LinkUp
from ..model.messages import SPEAKS, Hello, Refuse
from ..model.timing import NEVER
from .standing import Standing
from .twins import NOT_YET
from .welcome import REMOVED, incompatible, removed

SAY_AGAIN = 5.0  # seconds after which a node says once more why it would not serve in full, or could not take over


class Links:
    """``contact``: node → when it was last known to be there, by what it said or by its link; ``refused``: node → why."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.contact: Dict[str, float] = {}
        self.refused: Dict[str, str] = {}
        self._hello_at = NEVER

    # --- what we say --------------------------------------------------------------------------------------------------

    def hello(self, answer: bool, to: str, now: float) -> Hello:
        """Return what this node says of itself to another. ``answer``: whether it is to say the same of itself."""
        here = self.standing
        state, config = here.state, here.config
        return Hello(
            config.node, config.url, state.incarnation, config.ha_id, state.cluster_id, config.version, config.system,
            here.role, state.promised, state.applied, state.log.end, state.record, state.version, answer,
            priority=config.priority, no_failover=config.no_failover, speaks=SPEAKS, process=config.process, host=config.host,
            twins=here.twins.of(to, now), last_forced=state.last_forced(),
            noted=state.noted, unable=here.unable, store=here.dcs.keeps_out, full=here.full,
        )  # fmt: skip

    def hello_all(self, answer: bool, now: float) -> None:
        self._hello_at = now
        for node in sorted(self.standing.linked):
            self._say_hello(node, answer, now)

    def _say_hello(self, node: str, answer: bool, now: float) -> None:
        self.standing.out.append(Send(node, self.hello(answer, node, now)))

    def ask(self, node: str, now: float) -> None:
        """Ask one node how it is."""
        self._say_hello(node, True, now)

    def tick(self, now: float) -> None:
        """Ask those of whom nothing else is heard: an active the ones that do not follow it, a passive all when its active is silent."""
        here = self.standing
        if here.leading is not None:
            quiet = here.linked - set(here.leading.followers.by_node)
        else:
            quiet = here.linked if now - here.following.heard > here.config.timing.lease else set()
        if quiet and now - self._hello_at > here.config.timing.silence:
            self._hello_at = now
            for node in sorted(quiet):
                self.ask(node, now)

    def become_passive(self, now: float) -> None:
        here = self.standing
        if here.role != "passive":
            here.set_role("passive")
            here.following.need_all_blobs(here.record.active)
            self.hello_all(True, now)

    # --- links --------------------------------------------------------------------------------------------------------

    def up(self, event: LinkUp, now: float) -> None:
        self.standing.linked.add(event.node)
        self.contact[event.node] = now
        self.ask(event.node, now)

    def down(self, event: LinkDown, now: float) -> None:
        here = self.standing
        here.linked.discard(event.node)
        here.twins.link_down(event.node)
        if here.leading is None:
            self.contact[event.node] = now  # passives say little to each other, but a link ends soon after its node
        if removed(here.state, event.node):
            here.out.append(Disconnect(event.node))

    def follow_members(self) -> None:
        """Nodes that were added or removed: keep a link to those who are there."""
        out = self.standing.out
        for command in tuple(out):
            for kind, key, document in command.documents if isinstance(command, Changed) else ():
                if kind == "nodes" and key != self.standing.config.node:
                    url = "" if document is None else str(document.value.get("Url", ""))
                    out.append(Disconnect(key) if document is None else Connect(key, url))

    # --- what they say ------------------------------------------------------------------------------------------------

    def takes(self, node: str, hello: Hello, now: float) -> bool:
        """Whether a Hello is of a node that replicates with this one: of our cluster and version, not removed, and no twin."""
        here = self.standing
        if node not in here.linked:
            here.out.append(Connect(node, hello.url))  # also to tell it why it is refused
        why = incompatible(here.config, here.state.cluster_id, hello)
        if why:
            self._refuse(node, hello, why)
        return not why and self._is_welcome(node, hello, now)

    def introduced(self, node: str, hello: Hello, now: float) -> None:
        """Keep what a node has said of itself; say how we are, if it asks."""
        here = self.standing
        self.refused.pop(node, None)
        here.peers[node] = hello
        if hello.answer:
            self._say_hello(node, False, now)

    def _is_welcome(self, node: str, hello: Hello, now: float) -> bool:
        """Whether this is the one process of that name, and of a node that was not removed."""
        here = self.standing
        if hello.node != node:
            return False
        known = here.peers.get(node)
        why = here.twins.check(hello, known, self._speaks(node, known, now), now)
        if why:
            here.out.append(SendBack(node, hello.process, Refuse("twin", why)))
            if why != NOT_YET:
                self._say_hello(node, False, now)  # the one that stays is told of it
            return False
        if not removed(here.state, node):
            return True
        if here.leading is not None:
            here.out.append(Send(node, Refuse("removed", REMOVED.format(node))))
        return False

    def _speaks(self, node: str, hello: Optional[Hello], now: float) -> bool:
        """Whether the process that said this Hello is certainly alive: it has just spoken, on a link that is up."""
        here = self.standing
        if hello is None or node not in here.linked:
            return False
        silence = here.config.timing.silence
        if here.leading is not None:
            follower = here.leading.followers.by_node.get(node)
            return follower is not None and follower.process == hello.process and now - follower.stamp <= silence
        return here.following.active == node and now - here.following.heard <= silence

    def _refuse(self, node: str, hello: Hello, why: str) -> None:
        here = self.standing
        state, config = here.state, here.config
        if self.refused.get(node) != why:
            self.refused[node] = why
            state.note("error", f"refused {node}: {why}")
        if here.leading is not None:
            here.out.append(Send(node, Refuse("incompatible", why)))
        elif hello.role == "active":
            here.following.refused = why
            foreign = state.cluster_id and hello.ha_id == config.ha_id and hello.cluster_id != state.cluster_id
            foreign = foreign and hello.record is not None and hello.record.active == node
            if foreign and config.discard and not config.shared and here.role != "active":
                here.out.append(FetchSnapshot(node))
