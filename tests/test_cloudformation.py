"""A CloudFormation template becomes settings; what has no place here is told, and the rest goes on."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from leaderboard.cli import cli
from leaderboard.cloudformation import Imported, read
from leaderboard.settings import ConfigError, Settings

TEMPLATE = Path(__file__).parent / "template.json"


def test_an_api_and_its_namespaces_become_settings() -> None:
    settings = Settings(**read(TEMPLATE).settings)
    assert settings.connection_auth_modes == ("API_KEY",)
    assert settings.default_subscribe_auth_modes == ("API_KEY",)
    assert list(settings.namespaces) == ["default", "game-beta"]
    assert {rules.kind for rules in settings.namespaces.values()} == {"relay"}
    assert settings.namespaces["game-beta"].publish_auth_modes == ("API_KEY",)
    assert settings.namespaces["default"].publish_auth_modes is None


@pytest.mark.parametrize(
    "note",
    [
        "Other3A4B: a server is one API: Events1A2B was taken",
        "Events1A2B: EventConfig.LogConfig: this server logs where it runs",
        (
            "Events1A2B: EventConfig.ConnectionAuthModes: AMAZON_COGNITO_USER_POOLS is left out: "
            "it is not known whose tokens to take, and for whom: set [oidc] by hand"
        ),
        "EventsKey5E6F: AWS makes the key itself: `serve` makes one too, or set `api_keys`",
        "Game9C0D: CodeHandlers: JavaScript is not run here: write `on_publish` and `on_subscribe` in Python",
        "Game9C0D: Novelty: not known here",
        "Unnamed1E2F: its Name is not known before it is deployed",
        "Stranger5C6D: it belongs to another API than Events1A2B",
        "AWS::Cognito::UserPool: not supported",
        "AWS::Lambda::Function (2 of them): not supported",
    ],
)
def test_what_has_no_place_here_is_told_with_the_reason(note: str) -> None:
    assert note in read(TEMPLATE).notes


def test_nothing_is_told_of_what_nobody_misses() -> None:
    told = " ".join(read(TEMPLATE).notes)
    assert "OwnerContact" not in told
    assert "Metadata" not in told


def test_another_api_of_the_template_can_be_chosen() -> None:
    imported = read(TEMPLATE, "Other3A4B")
    assert list(imported.settings["namespaces"]) == ["stranger"]
    with pytest.raises(ConfigError, match="there are Events1A2B, Other3A4B"):
        read(TEMPLATE, "Nobody")


def imported(tmp_path: Path, *namespaces: dict[str, Any], **config: Any) -> Imported:
    """What is read of one API with a configuration, and its namespaces."""
    resources: dict[str, Any] = {
        "Api": {"Type": "AWS::AppSync::Api", "Properties": {"EventConfig": config}}
    }
    for index, properties in enumerate(namespaces):
        kind = "AWS::AppSync::ChannelNamespace"
        resources[f"Namespace{index}"] = {"Type": kind, "Properties": properties}
    file = tmp_path / "template.json"
    file.write_text(json.dumps({"Resources": resources}))
    return read(file)


@pytest.mark.parametrize(
    "reference",
    [
        {"Fn::GetAtt": ["Api", "ApiId"]},
        {"Fn::GetAtt": "Api.ApiId"},
        {"Ref": "Api"},
        {"Ref": "ParameterFromElsewhere"},
        {"Fn::ImportValue": "Elsewhere"},
    ],
)
def test_a_namespace_is_found_however_it_names_its_api(
    tmp_path: Path, reference: dict[str, Any]
) -> None:
    found = imported(tmp_path, {"ApiId": reference, "Name": "a"})
    assert found.settings["namespaces"] == {"a": {"kind": "relay"}}


def test_modes_that_are_not_here_leave_the_others(tmp_path: Path) -> None:
    unknown = "A_MODE_OF_TOMORROW"
    modes = [{"AuthType": unknown}, {"AuthType": "API_KEY"}]
    found = imported(tmp_path, ConnectionAuthModes=modes, DefaultPublishAuthModes=modes[:1])
    assert found.settings["connection_auth_modes"] == ["API_KEY"]
    assert found.settings["default_publish_auth_modes"] == ["API_KEY"]
    assert (
        f"Api: EventConfig.ConnectionAuthModes: {unknown} is left out: not known here"
        in found.notes
    )
    assert "Api: EventConfig.DefaultPublishAuthModes: API_KEY instead" in found.notes
    Settings(**found.settings)


@pytest.mark.parametrize(
    ("provider", "issuer"),
    [
        (
            {
                "AuthType": "OPENID_CONNECT",
                "OpenIDConnectConfig": {"Issuer": "https://id.example", "ClientId": "game"},
            },
            "https://id.example",
        ),
        (
            {
                "AuthType": "AMAZON_COGNITO_USER_POOLS",
                "CognitoConfig": {
                    "AwsRegion": "eu-west-1",
                    "UserPoolId": "eu-west-1_AbC",
                    "AppIdClientRegex": "game",
                },
            },
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
        ),
    ],
    ids=["OpenID Connect", "user pool"],
)
def test_a_provider_of_tokens_that_is_known_becomes_the_oidc_one(
    tmp_path: Path, provider: dict[str, Any], issuer: str
) -> None:
    modes = [{"AuthType": provider["AuthType"]}]
    found = imported(tmp_path, AuthProviders=[provider], ConnectionAuthModes=modes)
    settings = Settings(**found.settings)
    assert settings.connection_auth_modes == (provider["AuthType"],)
    assert (settings.oidc.issuer, settings.oidc.audiences) == (issuer, ("game",))
    assert settings.oidc.default_role == "scorekeeper", "at AWS a good token may publish"


def test_a_lambda_authorizer_is_left_out_with_the_reason(tmp_path: Path) -> None:
    modes = [{"AuthType": "AWS_LAMBDA"}]
    found = imported(tmp_path, AuthProviders=modes, DefaultPublishAuthModes=modes)
    assert found.settings["default_publish_auth_modes"] == ["API_KEY"]
    assert (
        "Api: EventConfig.DefaultPublishAuthModes: AWS_LAMBDA is left out: "
        "no Lambda is called: write it in Python, and set `authorizer` by hand"
    ) in found.notes
    Settings(**found.settings)


def test_an_api_without_namespaces_has_the_default_ones(tmp_path: Path) -> None:
    found = imported(tmp_path)
    assert found.settings == {}
    assert found.notes == ["Api: it has no namespace that could be read: the default ones hold"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("Resources: {}", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "it has no Resources"),
        ("{}", "it has no Resources"),
        ('{"Resources": []}', "it has no Resources"),
        ('{"Resources": {}}', "there is no AWS::AppSync::Api in it"),
        ('{"Resources": {"A": 1, "B": {"Type": 2}}}', "there is no AWS::AppSync::Api in it"),
    ],
)
def test_what_is_no_template_is_told_why(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "template.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=why):
        read(file)
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "none.json")


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [1], [{}], {"a": 1}])
@pytest.mark.parametrize("member", ["EventConfig", "ConnectionAuthModes", "AuthProviders", "Name"])
def test_a_template_of_odd_shape_breaks_nothing(tmp_path: Path, member: str, value: object) -> None:
    config = value if member == "EventConfig" else {member: value}
    api = {"Type": "AWS::AppSync::Api", "Properties": {"EventConfig": config}}
    properties = {"Name": value, "PublishAuthModes": value, "ApiId": value}
    namespace = {"Type": "AWS::AppSync::ChannelNamespace", "Properties": properties}
    file = tmp_path / "template.json"
    file.write_text(
        json.dumps({"Resources": {"Api": api, "N": namespace, "M": {**api, "Type": value}}})
    )
    Settings(**read(file).settings)


def test_the_command_prints_a_settings_file_and_tells_the_rest_beside_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["import-template", str(TEMPLATE)])
    assert done.exit_code == 0
    written = tomllib.loads(done.stdout)
    assert Settings(**written) == Settings(**read(TEMPLATE).settings)
    assert done.stderr.count("note: ") == len(read(TEMPLATE).notes)


def test_the_command_ends_with_1_where_there_is_no_template(tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    file.write_text("{}")
    done = CliRunner().invoke(cli, ["import-template", str(file)])
    assert done.exit_code == 1
    assert "it has no Resources" in done.stderr
