"""Settings: read once, all faults together."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.config import ConfigFaults, Settings, load_settings

SECRETS = """
consumer_secret_file = "secrets/consumer_secret"
passkey_file = "secrets/passkey"
"""
MPESA = f"""
[http]
public_url = "https://pay.example.co.ke"
[mpesa]
shortcode = "600111"
consumer_key = "key"
{SECRETS}
"""


def a_file(folder: Path, text: str) -> Path:
    """A configuration file, with secret files beside it."""
    (folder / "secrets").mkdir()
    (folder / "secrets" / "consumer_secret").write_text("hush-consumer\n")
    (folder / "secrets" / "passkey").write_text("hush-passkey\n")
    path = folder / "controller.toml"
    path.write_text(text)
    return path


def faults_of(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigFaults) as found:
        load_settings(a_file(folder, text))
    return found.value.faults


def test_an_empty_file_is_a_working_controller(tmp_path: Path) -> None:
    settings = load_settings(a_file(tmp_path, ""))

    assert (settings.http.port, settings.edge.port, settings.mpesa) == (8080, 8443, None)


def test_no_file_at_all_is_a_working_controller() -> None:
    assert load_settings(None) == Settings()


def test_the_database_is_in_the_state_directory_unless_told_otherwise() -> None:
    assert Settings(state_dir=Path("/s")).database_url == "sqlite+aiosqlite:////s/lango.db"


def test_providers_call_the_public_address(tmp_path: Path) -> None:
    text = '[http]\npublic_url = "https://pay.example.co.ke/"'

    assert load_settings(a_file(tmp_path, text)).public_url == "https://pay.example.co.ke"


def test_an_ipv6_address_gets_its_brackets() -> None:
    settings = load_settings(None, {"edge": {"public_host": "2001:db8::1"}})

    assert settings.edge_address == "[2001:db8::1]:8443"


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGO_HTTP__PORT", "9001")

    assert load_settings(a_file(tmp_path, "[http]\nport = 9000")).http.port == 9001


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGO_HTTP__PORT", "9001")

    assert load_settings(None, {"http": {"port": 9002}}).http.port == 9002


def test_a_layer_replaces_only_the_keys_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGO_HTTP__PORT", "9001")
    settings = load_settings(a_file(tmp_path, '[http]\nport = 9000\nhost = "0.0.0.0"'))

    assert settings.http.host == "0.0.0.0"


def test_secrets_come_from_files_beside_the_configuration(tmp_path: Path) -> None:
    mpesa = load_settings(a_file(tmp_path, MPESA)).mpesa

    assert mpesa is not None
    assert mpesa.passkey.get_secret_value() == "hush-passkey"


def test_a_secret_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGO_MPESA__PASSKEY", "from-outside")
    text = MPESA.replace('passkey_file = "secrets/passkey"', "")
    mpesa = load_settings(a_file(tmp_path, text)).mpesa

    assert mpesa is not None
    assert mpesa.passkey.get_secret_value() == "from-outside"


def test_secrets_are_never_printed(tmp_path: Path) -> None:
    settings = load_settings(a_file(tmp_path, MPESA))

    assert "hush" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_database_password_is_not_in_the_repr() -> None:
    settings = load_settings(None, {"database": {"url": "postgresql+psycopg://u:hush@h/d"}})

    assert "hush" not in repr(settings)


def test_a_file_with_five_faults_lists_five(tmp_path: Path) -> None:
    text = """
    state_dri = "/s"
    [http]
    port = 99999
    prot = 8080
    [edge]
    public_host = "a b"
    [operator]
    language = "fr"
    """

    assert faults_of(tmp_path, text) == (
        "edge.public_host: want a host name or address, without a port",
        "http.port: input should be less than or equal to 65535",
        "http.prot: unknown key; did you mean http.port?",
        "operator.language: input should be 'en' or 'sw'",
        "state_dri: unknown key; did you mean state_dir?",
    )


def test_half_an_account_lists_every_key_that_is_missing(tmp_path: Path) -> None:
    text = '[http]\npublic_url = "https://pay.example.co.ke"\n[mpesa]\nshortcode = "600111"'

    assert faults_of(tmp_path, text) == (
        "mpesa.consumer_key: required here",
        "mpesa.consumer_secret: required here",
        "mpesa.passkey: required here",
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[http", "controller.toml"),
        ("http = 3", "http: "),
        ("[http]\nport = 'x'", "http.port: "),
        ("[http]\nhost = ''", "http.host: want a host name"),
        ("[http]\npublic_url = 'pay.example.co.ke'", "http.public_url: want http"),
        ("[edge]\njoin_port = 8443", "edge.join_port: 8443 is already the port of edge.port"),
        ("[edge]\nport = 8080", "edge.port: 8080 is already the port of http.port"),
        ("[database]\nurl = 'mysql://x'", "database.url: want sqlite"),
        ("[operator]\nname = ''", "operator.name: "),
        ("[operator]\nhelp_phone = 'call us'", "operator.help_phone: want at most 20 digits"),
        ("[nonsense]\nx = 1", "nonsense: unknown key"),
        (MPESA.replace("600111", "12"), "mpesa.shortcode: want 5 to 7 digits"),
        (MPESA.replace("https", "http"), "http.public_url: want https"),
        (MPESA.replace("pay.", "mpesa."), "http.public_url: Daraja refuses the word 'mpesa'"),
        (MPESA + "base_url = 'http://10.0.0.1'", "mpesa.base_url: want https"),
        (MPESA + "base_url = 'http://[x'", "mpesa.base_url: want https"),
        (MPESA + "passkey = 'x'", "mpesa.passkey: give this or mpesa.passkey_file, not both"),
        (MPESA.replace("ts/passkey", "ts/gone"), "mpesa.passkey_file: "),
    ],
)
def test_a_fault_names_its_key(tmp_path: Path, text: str, fault: str) -> None:
    assert fault in "\n".join(faults_of(tmp_path, text))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\xff\xfe", "want text", id="not text"),
        pytest.param(b"x" * 5000, "want at most 4,096 bytes", id="too long"),
    ],
)
def test_a_secret_file_must_hold_a_secret(tmp_path: Path, content: bytes, fault: str) -> None:
    path = a_file(tmp_path, MPESA)
    (tmp_path / "secrets" / "passkey").write_bytes(content)

    with pytest.raises(ConfigFaults, match=f"mpesa.passkey_file: .*{fault}"):
        load_settings(path)


def test_a_fault_never_repeats_a_secret(tmp_path: Path) -> None:
    text = MPESA.replace(SECRETS, "passkey = ['hush']\nconsumer_secret = 7")

    assert "hush" not in "\n".join(faults_of(tmp_path, text))


CARRIER = """
[sms]
kind = "http"
api_key = "hush"
[sms.http]
url = "https://sms.example/send"
fields = { to = "{phone}", words = "{text}" }
"""
POST = """
[email]
host = "smtp.example"
sender = "bills@example.co.ke"
username = "bills"
password = "hush"
"""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[sms]\napi_key = "k"', "sms.username: required here"),
        ('[sms]\nkind = "http"\napi_key = "k"', "sms.http: required here"),
        (CARRIER.replace('kind = "http"', 'username = "u"'), "sms.http: is of use only with"),
        (CARRIER.replace("https:", "http:"), "sms.http.url: want https://…"),
        (CARRIER.replace("{phone}", "{fone}"), "sms.http.fields.to: {fone} is not one of phone,"),
        (CARRIER.replace("{phone}", "{phone"), "sms.http.fields.to: a brace stands alone"),
        (CARRIER + 'code_at = ["a..b"]', "sms.http.code_at.0: want names and places"),
        (CARRIER + 'part_cost = "0,80"', "sms.http.part_cost: want shillings, like 0.80"),
        (CARRIER + 'nonsense = "x"', "sms.http.nonsense: unknown key"),
        (CARRIER + 'part_cots = "1"', "did you mean sms.http.part_cost?"),
        (POST.replace("bills@", "bills"), "email.sender: want an address like"),
        (POST + 'security = "none"', 'email.security: "none" is for a server on this machine'),
        (POST.replace('password = "hush"', ""), "email.password: required here"),
        (POST.replace('username = "bills"', ""), "email.username: required here"),
        (POST + "port = 0", "email.port: "),
        ('[email]\nhost = "smtp.example"', "email.sender: required here"),
    ],
)
def test_a_fault_of_a_carrier_names_its_key(tmp_path: Path, text: str, fault: str) -> None:
    assert fault in "\n".join(faults_of(tmp_path, text))


def test_a_carrier_and_a_mail_server_may_be_set_up(tmp_path: Path) -> None:
    settings = load_settings(a_file(tmp_path, CARRIER + POST))

    assert settings.sms is not None
    assert settings.sms.http is not None
    assert settings.email is not None
    assert (settings.email.port, settings.email.security) == (587, "starttls")
    assert "hush" not in repr(settings)


def test_a_mail_server_on_this_machine_needs_no_privacy(tmp_path: Path) -> None:
    text = '[email]\nhost = "127.0.0.1"\nsender = "b@example.co.ke"\nsecurity = "none"'

    assert load_settings(a_file(tmp_path, text)).email is not None


def test_a_part_of_a_section_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGO_SMS__HTTP__URL", "https://other.example/send")
    sms = load_settings(a_file(tmp_path, CARRIER)).sms

    assert sms is not None
    assert sms.http is not None
    assert (sms.http.url, sms.http.fields["words"]) == ("https://other.example/send", "{text}")


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="no such file"):
        load_settings(tmp_path / "gone.toml")


def test_a_misspelt_section_in_the_environment_is_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGO_HTPT__PORT", "9001")

    with pytest.raises(ConfigFaults, match="htpt: unknown key; did you mean http"):
        load_settings(None)


def test_the_environment_of_our_other_programs_is_none_of_our_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGO_AGENT__PLANE", "memory")

    assert load_settings(None) == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().http.port = 1
