"""What in the settings contradicts what, told without a look at the machine: one rule a function.

`gliowatch run` does not start with those that would lose or mix up files; `config check` tells all.
"""

import ipaddress
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

from daemon.notifications.settings_check import notify_contradictions
from daemon.settings import DicomSettings, Settings, ViewerSettings
from daemon.settings.archives import Destination, Priors
from daemon.settings.errors import Fault, Stops
from daemon.settings.login import LdapDirectory, OidcProvider
from daemon.settings.workers import FILES, is_loopback

SHORTEST_TOKEN = 16  # characters
SCAN_ENDINGS = (".nii", ".nii.gz", ".dcm", ".png", ".jpg", ".jpeg", ".zip")
Rule = Callable[[Settings], Iterator[Fault]]


def contradictions(settings: Settings) -> list[Fault]:
    """All of them, those first that stop gliowatch."""
    found = [fault for rule in RULES for fault in rule(settings)]
    order = list(Stops)
    return sorted(found, key=lambda fault: -order.index(fault.stops))


def open_door(viewer: ViewerSettings) -> str:
    """Patients' data go over a network encrypted, or somebody has said that they need not.

    The sentence that refuses anything else; '' where all is well.
    """
    safe = viewer.tls_certificate or viewer.trusted_proxies or is_loopback(viewer.host)
    if safe or viewer.allow_plain_http:
        return ""
    return (
        f"The viewer does not listen on {viewer.host} without encryption: set"
        " viewer.tls_certificate and tls_key, or trusted_proxies, or allow_plain_http."
    )


def open_node(dicom: DicomSettings) -> str:
    """Who may send to the DICOM node is said, or somebody has said that anyone may.

    An AE title keeps nobody out, since every sender chooses its own. The sentence that refuses
    anything else; '' where all is well.
    """
    is_named = dicom.addresses or (dicom.tls_certificate and dicom.tls_ca)
    if is_loopback(dicom.host) or is_named or dicom.allow_anyone:
        return ""
    return (
        f"The DICOM node does not listen on {dicom.host} for anyone: name the senders in"
        " dicom.addresses, or set dicom.tls_certificate and tls_ca, or allow_anyone."
    )


def _inbox_and_outbox(settings: Settings) -> Iterator[Fault]:
    inbox, outbox = settings.daemon.inbox.resolve(), settings.daemon.outbox.resolve()
    if inbox == outbox:
        how = f"daemon.inbox and daemon.outbox are the same folder, {inbox}"
    elif outbox.is_relative_to(inbox):
        how = f"daemon.outbox, {outbox}, is inside daemon.inbox, {inbox}"
    elif inbox.is_relative_to(outbox):
        how = f"daemon.inbox, {inbox}, is inside daemon.outbox, {outbox}"
    else:
        return
    sentence = f"{how}: results would be taken for scans. Give them folders beside each other."
    yield Fault(("daemon.inbox", "daemon.outbox"), sentence, Stops.RUN)


def _kept_out_of_the_inbox(settings: Settings) -> Iterator[Fault]:
    inbox = settings.daemon.inbox.resolve()
    for key, path in _paths(settings).items():
        if key not in ("daemon.inbox", "daemon.outbox") and path.resolve().is_relative_to(inbox):
            sentence = (
                f"{key}, {path.resolve()}, is inside daemon.inbox, {inbox}: what lies there is"
                " taken for scans. Name a place outside the inbox."
            )
            yield Fault((key, "daemon.inbox"), sentence, Stops.RUN)


def _one_path_each(settings: Settings) -> Iterator[Fault]:
    """Two databases, and a folder for the copies of one."""
    daemon = settings.daemon
    for one, other in combinations(("index", "records", "copies"), 2):
        path = getattr(daemon, one).resolve()
        if path != getattr(daemon, other).resolve():
            continue
        keys = (f"daemon.{one}", f"daemon.{other}")
        why = "name two files, since the index can be made again and the records cannot"
        if other != "records":
            why = "one is a file and the other a folder, so name two places"
        sentence = f"{keys[0]} and {keys[1]} are the same file, {path}: {why}."
        yield Fault(keys, sentence, Stops.RUN)


def _encryption(settings: Settings) -> Iterator[Fault]:
    viewer = settings.viewer
    if sentence := open_door(viewer):
        yield Fault(("viewer.host", "viewer.tls_certificate"), sentence, Stops.VIEWER)
    if viewer.tls_key and not viewer.tls_certificate:
        sentence = "viewer.tls_key is set without viewer.tls_certificate: nothing is encrypted."
        yield Fault(("viewer.tls_key", "viewer.tls_certificate"), sentence)
    for proxy in viewer.trusted_proxies:
        if not _is_address(proxy):
            sentence = (
                f"viewer.trusted_proxies has {proxy}, which is not the address of one machine:"
                " write addresses such as 10.0.0.5, not names or networks."
            )
            yield Fault(("viewer.trusted_proxies",), sentence)
    if viewer.trusted_proxies and not viewer.host_names:
        sentence = (
            "viewer.trusted_proxies is set without viewer.host_names: browsers behind the proxy"
            " ask by its name, and are refused unless that is listed there."
        )
        yield Fault(("viewer.trusted_proxies", "viewer.host_names"), sentence)


def _node(settings: Settings) -> Iterator[Fault]:
    dicom = settings.dicom
    if dicom.on and (sentence := open_node(dicom)):
        yield Fault(("dicom.host", "dicom.addresses"), sentence, Stops.RUN)
    for title in (dicom.ae_title, *dicom.calling_ae_titles):
        if not _is_title(title):
            sentence = (
                f'"{title}" is no AE title: dicom.ae_title and dicom.calling_ae_titles have 1 to 16'
                " characters of ASCII, none of them a backslash, and no spaces at the ends."
            )
            yield Fault(("dicom.ae_title", "dicom.calling_ae_titles"), sentence, Stops.RUN)
    for address in dicom.addresses:
        if not _is_network(address):
            sentence = (
                f"dicom.addresses has {address}, which is no address and no network: write"
                " 10.0.5.7 or 10.0.5.0/24, not names."
            )
            yield Fault(("dicom.addresses",), sentence, Stops.RUN)
    for key in ("tls_key", "tls_ca"):
        if getattr(dicom, key) and not dicom.tls_certificate:
            sentence = f"dicom.{key} is set without dicom.tls_certificate: nothing is encrypted."
            yield Fault((f"dicom.{key}", "dicom.tls_certificate"), sentence, Stops.RUN)
    if dicom.on and dicom.port and dicom.port == settings.viewer.port:
        sentence = f"dicom.port and viewer.port are the same, {dicom.port}: name two."
        yield Fault(("dicom.port", "viewer.port"), sentence, Stops.RUN)


def _priors(settings: Settings) -> Iterator[Fault]:
    dicom, priors = settings.dicom, settings.dicom.priors
    if not priors.on:
        return
    if priors.is_web:
        for why in _wrong_url(priors):
            yield Fault(("dicom.priors.url",), f"dicom.priors: {why}", Stops.RUN)
        return
    if not dicom.on:
        sentence = "dicom.priors.on needs dicom.on: the PACS sends earlier studies to the node."
        yield Fault(("dicom.priors.on", "dicom.on"), sentence, Stops.RUN)
    if not priors.host:
        sentence = "dicom.priors.host is empty: name the PACS."
        yield Fault(("dicom.priors.host",), sentence, Stops.RUN)
    for key in ("called_ae_title", "calling_ae_title"):
        if not _is_title(getattr(priors, key)):
            sentence = f'dicom.priors.{key} = "{getattr(priors, key)}" is no AE title.'
            yield Fault((f"dicom.priors.{key}",), sentence, Stops.RUN)
    if (priors.tls_certificate or priors.tls_ca) and not priors.tls:
        sentence = "dicom.priors.tls_certificate or tls_ca is set and tls is false."
        yield Fault(("dicom.priors.tls",), sentence, Stops.RUN)


def _destinations(settings: Settings) -> Iterator[Fault]:
    names = [to.name for to in settings.dicom.send]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _of_send(f'two tables have the name "{name}": what was sent is noted under it.')
    for to in settings.dicom.send:
        for why in (*_wrong_association(to), *_wrong_service(to)):
            yield _of_send(f'"{to.name}": {why}')


def _workers(settings: Settings) -> Iterator[Fault]:
    workers = settings.workers
    if workers.on and (why := workers.wrong()):
        yield Fault(("workers.address",), f"workers.address: {why}.", Stops.RUN)


def _of_send(why: str) -> Fault:
    return Fault(("dicom.send",), f"[[dicom.send]]: {why}", Stops.RUN)


def _wrong_association(to: Destination) -> Iterator[str]:
    """What is wrong with where C-STORE goes."""
    if to.protocol != "C-STORE":
        return
    if not to.host:
        yield "C-STORE needs host."
    for key in ("called_ae_title", "calling_ae_title"):
        if not _is_title(getattr(to, key)):
            yield f'{key} = "{getattr(to, key)}" is no AE title of 1 to 16 characters.'
    if (to.tls_certificate or to.tls_ca) and not to.tls:
        yield "tls_certificate or tls_ca is set and tls is false: nothing is encrypted."


def _wrong_service(to: Destination) -> Iterator[str]:
    """What is wrong with where STOW-RS goes."""
    if to.protocol != "STOW-RS":
        return
    if to.commitment:
        yield "commitment is a part of C-STORE, and STOW-RS has none."
    yield from _wrong_url(to)


def _wrong_url(to: Destination | Priors) -> Iterator[str]:
    """What is wrong with a service's address."""
    place = urlsplit(to.url)
    if place.scheme not in ("http", "https") or not place.hostname:
        yield f"{to.protocol} needs url, such as https://pacs.hospital.example/dicom-web."
    elif place.username or place.password:
        yield "url holds a name or a password: put a header into a variable, header_variable."
    elif place.scheme == "http" and to.header_variable and not is_loopback(place.hostname):
        yield "header_variable would go over http unencrypted: write https."


def _fhir(settings: Settings) -> Iterator[Fault]:
    fhir = settings.fhir
    if not fhir.url:
        return
    place = urlsplit(fhir.url)
    secret = fhir.header_variable or fhir.token_file
    if fhir.header_variable and fhir.token_file:
        why = "fhir.header_variable and fhir.token_file are both set: one is enough."
        yield Fault(("fhir.header_variable", "fhir.token_file"), why, Stops.RUN)
    if place.scheme not in ("http", "https") or not place.hostname:
        why = "fhir.url is no address such as https://fhir.hospital.example/r4."
        yield Fault(("fhir.url",), why, Stops.RUN)
    elif place.username or place.password:
        why = "fhir.url holds a name or a password: put a header into fhir.header_variable."
        yield Fault(("fhir.url",), why, Stops.RUN)
    elif place.scheme == "http" and secret and not is_loopback(place.hostname or ""):
        why = "fhir.url is http, and the token would go unencrypted: write https."
        yield Fault(("fhir.url",), why, Stops.RUN)
    if fhir.name in (to.name for to in settings.dicom.send):
        why = (
            f'fhir.url: a table [[dicom.send]] has the name "{fhir.name}", which is the server\'s.'
        )
        yield Fault(("fhir.url", "dicom.send"), why, Stops.RUN)


def _providers(settings: Settings) -> Iterator[Fault]:
    providers = settings.login.oidc
    for key in ("name", "issuer"):
        values = [getattr(each, key) for each in providers]
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield _of_login(f'two tables have the {key} "{value}": accounts would be mixed up.')
    for each in providers:
        for why in _wrong_provider(each):
            yield _of_login(f'"{each.name}": {why}')


def _of_login(why: str) -> Fault:
    return Fault(("login.oidc",), f"[[login.oidc]]: {why}", Stops.VIEWER)


def _wrong_provider(provider: OidcProvider) -> Iterator[str]:
    """What is wrong with a provider of OpenID Connect."""
    place = urlsplit(provider.issuer)
    is_encrypted = place.scheme == "https" or is_loopback(place.hostname or "")
    if place.scheme not in ("http", "https") or not place.hostname or place.query:
        yield "issuer is the provider's address, such as https://login.hospital.example."
    elif not is_encrypted:
        yield "issuer would be asked unencrypted: write https."
    if not provider.client_id:
        yield "client_id is empty."
    if "openid" not in provider.scopes:
        yield 'scopes needs "openid".'
    if not provider.names_groups:
        yield "no group has a role, so that nobody could come in: fill in readers, for example."
    if provider.secret_file and provider.secret_variable:
        yield "secret_file and secret_variable are both set: name one place of the secret."


def _directory(settings: Settings) -> Iterator[Fault]:
    ldap = settings.login.ldap
    for why in _wrong_directory(ldap) if ldap.on else ():
        yield Fault(("login.ldap",), f"[login.ldap]: {why}", Stops.VIEWER)


def _wrong_directory(ldap: LdapDirectory) -> Iterator[str]:
    place = urlsplit(ldap.url)
    if place.scheme not in ("ldap", "ldaps") or not place.hostname or place.path.strip("/"):
        yield "url is the directory's address, such as ldaps://dc.hospital.example."
    if not ldap.user_dn and not ldap.base:
        yield "user_dn and base are both empty: name people by a DN, or where to search them."
    if ldap.user_dn and "{name}" not in ldap.user_dn:
        yield "user_dn has no {name}: everybody would be the same person."
    if ldap.base and "{name}" not in ldap.user_filter:
        yield "user_filter has no {name}: everybody would be the same person."
    if bool(ldap.bind_dn) != bool(ldap.secret_file or ldap.secret_variable):
        yield "bind_dn and its password, in secret_file or secret_variable, are set together."
    if not ldap.groups_attribute and not ldap.group_base:
        yield "groups_attribute and group_base are both empty: nobody would be in a group."
    if not ldap.names_groups:
        yield "no group has a role, so that nobody could come in: fill in readers, for example."


def _audit(settings: Settings) -> Iterator[Fault]:
    place = urlsplit(settings.daemon.audit_syslog)
    if place.scheme == "tcp" and not is_loopback(place.hostname or ""):
        sentence = (
            f"daemon.audit_syslog, {settings.daemon.audit_syslog}, would send the audit log"
            " unencrypted to another machine: write tls:// instead of tcp://."
        )
        yield Fault(("daemon.audit_syslog",), sentence, Stops.RUN)


def _metrics(settings: Settings) -> Iterator[Fault]:
    if 0 < len(settings.viewer.metrics_token.get_secret_value()) < SHORTEST_TOKEN:
        sentence = f"viewer.metrics_token must have {SHORTEST_TOKEN} characters or more."
        yield Fault(("viewer.metrics_token",), sentence, Stops.VIEWER)


def _sessions(settings: Settings) -> Iterator[Fault]:
    viewer = settings.viewer
    if viewer.idle_minutes > viewer.session_hours * 60:
        sentence = (
            f"viewer.idle_minutes, {viewer.idle_minutes:g}, is longer than a whole session,"
            f" viewer.session_hours = {viewer.session_hours:g}: it has no effect."
        )
        yield Fault(("viewer.idle_minutes", "viewer.session_hours"), sentence)


def _quiet_hours(settings: Settings) -> Iterator[Fault]:
    begin, _, end = settings.daemon.quiet_hours.partition("-")
    if begin and begin == end:
        sentence = (
            f'daemon.quiet_hours = "{begin}-{end}" begins and ends at the same time: no hour is'
            ' quiet. Write "" for never.'
        )
        yield Fault(("daemon.quiet_hours",), sentence)


def _names(settings: Settings) -> Iterator[Fault]:
    if "" in settings.daemon.wait_suffixes:
        sentence = 'daemon.wait_suffixes has "", which every name ends with: no scan would start.'
        yield Fault(("daemon.wait_suffixes",), sentence)
    for suffix in settings.daemon.wait_suffixes:
        if scans := [each for each in SCAN_ENDINGS if suffix and each.endswith(suffix)]:
            sentence = (
                f'daemon.wait_suffixes has "{suffix}", so that files named {", ".join(scans)} would'
                " wait for ever."
            )
            yield Fault(("daemon.wait_suffixes",), sentence)
        if suffix != suffix.lower():
            sentence = (
                f'daemon.wait_suffixes has "{suffix}", which never counts: write it in small'
                " letters, which stand for capitals too."
            )
            yield Fault(("daemon.wait_suffixes",), sentence)


def _flair(settings: Settings) -> Iterator[Fault]:
    model = settings.model
    lowest, highest = model.inversion_ms
    if lowest > highest:
        sentence = (
            f"model.inversion_ms = [{lowest:g}, {highest:g}] has the lowest time last: no"
            " inversion time lies between them."
        )
        yield Fault(("model.inversion_ms",), sentence)
    for other in ("other_names", "never_names"):
        for word in sorted({*model.flair_names} & {*getattr(model, other)}):
            sentence = f'The word "{word}" is in model.flair_names and in model.{other}.'
            yield Fault(("model.flair_names", f"model.{other}"), sentence)


def _homes(settings: Settings) -> Iterator[Fault]:
    for key, path in _paths(settings).items():
        if any(part.startswith("~") for part in path.parts):
            sentence = f"{key}, {path}, has a ~, which stands for no home here: write it out."
            yield Fault((key,), sentence)


def _paths(settings: Settings) -> dict[str, Path]:
    """All folders and files that the settings name."""
    daemon, model, viewer = settings.daemon, settings.model, settings.viewer
    named = {
        f"daemon.{name}": str(getattr(daemon, name))
        for name in ("inbox", "outbox", "index", "records", "copies")
    }
    named["daemon.live_copy"] = daemon.live_copy
    named["daemon.audit_syslog_ca"] = daemon.audit_syslog_ca
    named["model.weights"] = model.weights
    named["viewer.tls_certificate"], named["viewer.tls_key"] = (
        viewer.tls_certificate,
        viewer.tls_key,
    )
    named["log.folder"] = settings.log.folder
    for name in ("tls_certificate", "tls_key", "tls_ca"):
        named[f"dicom.{name}"] = getattr(settings.dicom, name)
    for name in FILES:
        named[f"workers.{name}"] = getattr(settings.workers, name)
    return {key: Path(path) for key, path in named.items() if path}


def _is_title(text: str) -> bool:
    plain = text.isascii() and text.isprintable() and "\\" not in text
    return plain and 0 < len(text) <= 16 and text == text.strip()


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


RULES: tuple[Rule, ...] = (
    _inbox_and_outbox,
    _kept_out_of_the_inbox,
    _one_path_each,
    _encryption,
    _node,
    _priors,
    _destinations,
    _fhir,
    _workers,
    _providers,
    _directory,
    _audit,
    _metrics,
    _sessions,
    _quiet_hours,
    _names,
    _flair,
    _homes,
    notify_contradictions,
)
