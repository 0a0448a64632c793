"""Say what the JSON bodies of requests about imports, contacts and lists may hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bodies import Body

_Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Members"])]
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_FieldName = Annotated[str, Field(max_length=64)]
_Header = Annotated[str, Field(max_length=1000)]
_Mapping = Annotated[
    dict[_Header, _FieldName | None],
    Field(
        max_length=100,
        description="The field that each column becomes, by its header; null leaves it out.",
        examples=[{"E-mail": "email", "First name": "first_name", "Notes": None}],
    ),
]
_Encoding = Literal["utf-8", "utf-16-le", "utf-16-be", "cp1252", "windows-1252"]


class StartBody(Body):
    """How an uploaded file is to be read; what is left out is found, or as it was announced."""

    mapping: _Mapping | None = None
    all_or_nothing: Annotated[
        bool | None, Field(description="Import nothing when any row is rejected.")
    ] = None
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    encoding: _Encoding | None = None


class AnnounceBody(StartBody):
    """A file that is to be uploaded."""

    name: Annotated[_Name | None, Field(description="What the new list is called.")] = None
    filename: Annotated[str | None, Field(max_length=200)] = None
    size: Annotated[int, Field(ge=1, le=500_000_000, description="Its bytes, exactly.")]
    list_id: Annotated[_Id | None, Field(description="Add the contacts to this list.")] = None


class RenameBody(Body):
    """What a list is called."""

    name: _Name


class ContactBody(Body):
    """A new contact; fields are what templates may use."""

    email: Annotated[str, Field(max_length=320, examples=["ada@example.com"])]
    fields: Annotated[
        dict[_FieldName, str | None] | None,
        Field(max_length=100, examples=[{"first_name": "Ada"}]),
    ] = None


class ContactChange(Body):
    """What changes of a contact: its address, or single fields; null removes a field."""

    email: Annotated[str | None, Field(max_length=320)] = None
    fields: Annotated[dict[_FieldName, str | None] | None, Field(max_length=100)] = None


class EraseBody(Body):
    """A person, by address, said twice by whoever erases."""

    email: Annotated[str, Field(max_length=320)]
    confirm: Annotated[str, Field(max_length=320, description="The same address.")]
    cursor: Annotated[
        str, Field(max_length=4000, description="Where an erasure goes on that was not complete.")
    ] = ""
