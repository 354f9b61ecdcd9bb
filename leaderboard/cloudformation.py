"""An Event API's CloudFormation template, as `cdk synth` writes it, read as settings of this server.

The tables below say what becomes of what. What has no place here is passed over and told, with the reason; the rest
goes on. The resources are described in AWS' template reference, under the names of `API`, `NAMESPACE` and `API_KEY`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from leaderboard.settings import ConfigError

API: Final = "AWS::AppSync::Api"
NAMESPACE: Final = "AWS::AppSync::ChannelNamespace"
API_KEY: Final = "AWS::AppSync::ApiKey"

OIDC: Final = {
    "OPENID_CONNECT": "OpenIDConnectConfig",
    "AMAZON_COGNITO_USER_POOLS": "CognitoConfig",
}
"""Modes that become ``oidc``, and the member of a provider that says where its tokens come from."""
WHY_NOT: Final = {
    **dict.fromkeys(OIDC, "it is not known whose tokens to take, and for whom: set [oidc] by hand"),
    "AWS_LAMBDA": "no Lambda is called: write it in Python, and set `authorizer` by hand",
    "AWS_IAM": "signatures are not checked here",
}
"""Why a mode of AWS was left out."""

API_MODES: Final = {
    "ConnectionAuthModes": "connection_auth_modes",
    "DefaultPublishAuthModes": "default_publish_auth_modes",
    "DefaultSubscribeAuthModes": "default_subscribe_auth_modes",
}
"""Members of ``EventConfig`` that are a setting."""
NAMESPACE_MODES: Final = {
    "PublishAuthModes": "publish_auth_modes",
    "SubscribeAuthModes": "subscribe_auth_modes",
}
"""Properties of a namespace that are a setting of it."""

PASSED_OVER: Final = {
    (API, "OwnerContact"): None,
    (API, "Tags"): None,
    (API, "Name"): None,
    (NAMESPACE, "Tags"): None,
    (API, "EventConfig.LogConfig"): "this server logs where it runs",
    (API, "EventConfig.AuthProviders.LambdaAuthorizerConfig"): "no Lambda is called",
    (NAMESPACE, "CodeHandlers"): "JavaScript is not run here: write `on_publish` and `on_subscribe` in Python",
    (NAMESPACE, "CodeS3Location"): "JavaScript is not run here: write `on_publish` and `on_subscribe` in Python",
    (NAMESPACE, "HandlerConfigs"): "no data source is called: write `on_publish` and `on_subscribe` in Python",
}  # fmt: skip
"""Properties that have no place here, and why; None where nobody misses them. Others are told as unknown."""


@dataclass
class Imported:
    """Settings by their names, as a settings file has them, and a sentence for each thing that was passed over."""

    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(file: Path, api: str | None = None) -> Imported:
    """The Event API of a template; ``api`` is its logical id where there are several.

    Raises `ConfigError` if the file is no template, or has no Event API.
    """
    try:
        template = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{file}: no JSON ({error}); a template is what `cdk synth --json` prints"
        ) from None
    resources = template.get("Resources") if isinstance(template, dict) else None
    if not isinstance(resources, dict):
        raise ConfigError(f"{file}: no CloudFormation template, since it has no Resources")
    return _Reader(file, template, resources).read(api)


class _Reader:
    def __init__(
        self, file: Path, template: Mapping[str, Any], resources: Mapping[str, Any]
    ) -> None:
        self._file = file
        self._parameters = _mapping(template.get("Parameters"))
        self._resources = {name: each for name, each in resources.items() if isinstance(each, dict)}
        self._imported = Imported()
        self._modes_here = {"API_KEY"}
        """Auth modes for which all is known."""

    def read(self, api: str | None) -> Imported:
        chosen = self._choose(api)
        self._read_api(chosen)
        namespaces = dict(self._namespaces_of(chosen))
        if namespaces:
            self._imported.settings["namespaces"] = namespaces
        else:
            self._note(chosen, "it has no namespace that could be read: the default ones hold")
        self._note_keys(chosen)
        self._note_others()
        return self._imported

    # -- the API ------------------------------------------------------------------------------------------------------

    def _choose(self, api: str | None) -> str:
        apis = list(self._of_type(API))
        if not apis:
            raise ConfigError(f"{self._file}: there is no {API} in it")
        if api is None:
            for other in apis[1:]:
                self._note(other, f"a server is one API: {apis[0]} was taken")
            return apis[0]
        if api not in apis:
            raise ConfigError(f"{self._file}: {api} is no {API} of it; there are {', '.join(apis)}")
        return api

    def _read_api(self, name: str) -> None:
        properties = self._properties(name)
        config = _mapping(properties.pop("EventConfig", None))
        for provider in _list(config.pop("AuthProviders", None)):
            self._read_provider(name, dict(_mapping(provider)))
        for member, setting in API_MODES.items():
            if member in config:
                modes = self._modes(name, f"EventConfig.{member}", config.pop(member))
                if modes:
                    self._imported.settings[setting] = modes
        for member in config:
            self._pass_over(name, f"EventConfig.{member}")
        for member in properties:
            self._pass_over(name, member)

    def _read_provider(self, name: str, provider: dict[str, Any]) -> None:
        mode = self._text(provider.pop("AuthType", None)) or "?"
        config = _mapping(provider.pop(OIDC.get(mode, ""), None))
        issuer, audience = self._issuer_and_audience(mode, config)
        if issuer and audience and "oidc" not in self._imported.settings:
            # At AWS whoever has a good token may do all that its mode is accepted for.
            oidc = {"issuer": issuer, "audiences": [audience], "default_role": "scorekeeper"}
            self._imported.settings["oidc"] = oidc
            self._modes_here.add(mode)
        for member in provider:
            self._pass_over(name, f"EventConfig.AuthProviders.{member}")

    def _issuer_and_audience(
        self, mode: str, config: Mapping[str, Any]
    ) -> tuple[str | None, str | None]:
        """Whose tokens a provider stands for, and whom they are meant for; None for what is not known."""
        if mode == "OPENID_CONNECT":
            return self._text(config.get("Issuer")), self._text(config.get("ClientId"))
        region, pool = self._text(config.get("AwsRegion")), self._text(config.get("UserPoolId"))
        client = self._text(config.get("AppIdClientRegex"))
        if not region or not pool or mode not in OIDC:
            return None, None
        return f"https://cognito-idp.{region}.amazonaws.com/{pool}", client

    # -- its namespaces -----------------------------------------------------------------------------------------------

    def _namespaces_of(self, api: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name in self._of_type(NAMESPACE):
            properties = self._properties(name)
            if not self._belongs(properties.pop("ApiId", None), api):
                self._note(name, f"it belongs to another API than {api}")
                continue
            path = self._text(properties.pop("Name", None))
            if path is None:
                self._note(name, "its Name is not known before it is deployed")
                continue
            rules: dict[str, Any] = {"kind": "relay"}
            for member, setting in NAMESPACE_MODES.items():
                if member in properties:
                    modes = self._modes(name, member, properties.pop(member))
                    if modes:
                        rules[setting] = modes
            for member in properties:
                self._pass_over(name, member)
            yield path, rules

    def _belongs(self, api_id: Any, api: str) -> bool:
        """Whether a reference leads to the API; one that leads out of the template does if nothing else can."""
        match api_id:
            case {"Fn::GetAtt": [str() as name, *_]} | {"Ref": str() as name}:
                pass
            case {"Fn::GetAtt": str() as text}:
                name = text.partition(".")[0]
            case _:
                return len(list(self._of_type(API))) == 1
        return name == api or name not in self._resources

    def _modes(self, name: str, member: str, value: Any) -> list[str]:
        """The modes of a list that exist here. If none does, keys are accepted, so that something is."""
        modes = [self._text(_mapping(each).get("AuthType")) or "?" for each in _list(value)]
        for mode in modes:
            if mode not in self._modes_here:
                why = WHY_NOT.get(mode, "not known here")
                self._note(name, f"{member}: {mode} is left out: {why}")
        kept = [mode for mode in modes if mode in self._modes_here]
        if modes and not kept:
            self._note(name, f"{member}: API_KEY instead")
            return ["API_KEY"]
        return kept

    # -- what else there is -------------------------------------------------------------------------------------------

    def _note_keys(self, api: str) -> None:
        for name in self._of_type(API_KEY):
            if self._belongs(self._properties(name).get("ApiId"), api):
                self._note(
                    name, "AWS makes the key itself: `serve` makes one too, or set `api_keys`"
                )

    def _note_others(self) -> None:
        others = Counter(str(each.get("Type")) for each in self._resources.values())
        for kind in (API, NAMESPACE, API_KEY, "AWS::CDK::Metadata"):
            others.pop(kind, None)
        for kind, count in sorted(others.items()):
            times = f" ({count} of them)" if count > 1 else ""
            self._imported.notes.append(f"{kind}{times}: not supported")

    def _pass_over(self, name: str, member: str) -> None:
        kind = self._resources[name]["Type"]
        why = PASSED_OVER.get((kind, member), "not known here")
        if why is not None:
            self._note(name, f"{member}: {why}")

    def _note(self, name: str, text: str) -> None:
        self._imported.notes.append(f"{name}: {text}")

    # -- reading ------------------------------------------------------------------------------------------------------

    def _of_type(self, kind: str) -> Iterator[str]:
        return (name for name, each in self._resources.items() if each.get("Type") == kind)

    def _properties(self, name: str) -> dict[str, Any]:
        return dict(_mapping(self._resources[name].get("Properties")))

    def _text(self, value: Any) -> str | None:
        """A text, or what a parameter's default or a join makes one; None for what only a deployment knows."""
        match value:
            case str():
                return value
            case {"Ref": str() as name}:
                return self._text(_mapping(self._parameters.get(name)).get("Default"))
            case {"Fn::Join": [str() as between, [*parts]]}:
                texts = [self._text(part) for part in parts]
                return None if None in texts else between.join(text or "" for text in texts)
        return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else []
