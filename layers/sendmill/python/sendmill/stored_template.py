"""Keep templates in versions that never change, and make campaigns from a version.

A campaign copies the content of its version when it is made: saving a template again changes no
campaign. A template is rendered for the first time in a process of its own, with little time and
memory (:mod:`sendmill.template_trial`): one that kills that process is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sendmill.campaign import Config, Content, Service, check_name, content_from_mapping
from sendmill.errors import InvalidCampaign, NotFound, StateConflict

# What a template is compiled with while nobody is mailed.
NO_SENDER = Config(email_service=Service.SES, from_email="preview@example.com")
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTemplate:
    """Hold one version of a template; ``variables`` are the fields it uses."""

    id: str
    version: int
    name: str
    subject: str
    body: str
    text: str = ""
    defaults: Mapping[str, str]
    variables: tuple[str, ...] = ()
    created_at: int = 0
    created_by: str = ""

    def content(self) -> dict[str, Any]:
        """Return what a campaign takes over."""
        return {
            "subject": self.subject,
            "body": self.body,
            "text": self.text,
            "defaults": dict(self.defaults),
        }


class TemplateShelf(Protocol):
    """Keep versions of templates."""

    def add(self, found: StoredTemplate) -> bool:
        """Keep a version; tell whether the one before it was the newest."""

    def get(self, template_id: str, version: int = 0) -> StoredTemplate | None:
        """Return a version, or the newest."""

    def list(self, *, cursor: str = "", limit: int = 50) -> tuple[Sequence[StoredTemplate], str]:
        """Return the newest version of every template, the latest saved first."""

    def versions(self, template_id: str) -> Sequence[StoredTemplate]:
        """Return every version of a template, newest first."""

    def delete(self, template_id: str) -> bool:
        """Delete a template in every version; tell whether there was one."""


class Trial(Protocol):
    """Render templates that nobody has rendered before."""

    def __call__(self, content: Content) -> Sequence[str]:
        """Return the fields that a content uses; raises InvalidTemplate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDesk:
    """Hold what people's requests about templates need; built once for the API function."""

    shelf: TemplateShelf
    trial: Trial
    clock: Callable[[], int]
    new_id: Callable[[str], str]

    def create(self, raw: Mapping[str, Any], *, created_by: str = "") -> StoredTemplate:
        """Keep the first version of a template.

        Raises InvalidCampaign or InvalidTemplate naming part and line.
        """
        found = replace(self._checked(raw, created_by), id=self.new_id("template"), version=1)
        self.shelf.add(found)
        return found

    def save(
        self, template_id: str, raw: Mapping[str, Any], *, created_by: str = ""
    ) -> StoredTemplate:
        """Keep the next version of a template; raises NotFound too."""
        found = self._checked(raw, created_by)
        for _ in range(_ATTEMPTS):
            newest = self.get(template_id)
            after = replace(found, id=template_id, version=newest.version + 1)
            if self.shelf.add(after):
                return after
        raise StateConflict(f"template {template_id} is being saved by others: ask again")

    def get(self, template_id: str, version: int = 0) -> StoredTemplate:
        """Return a version of a template, or the newest; raises NotFound."""
        found = self.shelf.get(template_id, version)
        if found is None:
            which = f"version {version} of template" if version else "template"
            raise NotFound(f"{which} {template_id} does not exist")
        return found

    def versions(self, template_id: str) -> Sequence[StoredTemplate]:
        """Return every version of a template, newest first; raises NotFound."""
        self.get(template_id)
        return self.shelf.versions(template_id)

    def delete(self, template_id: str) -> None:
        """Delete a template; campaigns made from it have copies. Raises NotFound."""
        if not self.shelf.delete(template_id):
            raise NotFound(f"template {template_id} does not exist")

    def _checked(self, raw: Mapping[str, Any], created_by: str) -> StoredTemplate:
        content = content_from_mapping({**raw, "config": {"from_email": NO_SENDER.from_email}})
        return StoredTemplate(
            id="",
            version=0,
            name=check_name(raw.get("name")),
            subject=content.subject,
            body=content.body,
            text=content.text,
            defaults=dict(content.defaults),
            variables=tuple(self.trial(content)),
            created_at=self.clock(),
            created_by=created_by,
        )


def from_template(raw: Mapping[str, Any], shelf: TemplateShelf | None) -> dict[str, Any]:
    """Return the request for a campaign with what its template says, if it names one.

    Raises NotFound for the template, InvalidCampaign when the request also has a content.
    """
    template_id = raw.get("template_id")
    if not template_id:
        return dict(raw)
    both = [name for name in ("subject", "body", "text", "defaults") if raw.get(name)]
    if both:
        raise InvalidCampaign(f"{both[0]} must not stand beside template_id")
    version = raw.get("template_version") or 0
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise InvalidCampaign(f"template_version must be a version (got {str(version)[:40]!r})")
    found = shelf.get(str(template_id), version) if shelf else None
    if found is None:
        which = f"version {version} of template" if version else "template"
        raise NotFound(f"{which} {str(template_id)[:80]} does not exist")
    return {**raw, **found.content(), "template_id": found.id, "template_version": found.version}
