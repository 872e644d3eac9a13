"""The SBOM of a release, as CycloneDX 1.6 in JSON: packages, files of others, who needs whom."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from tools.release.distributions import Wheel
from tools.release.third_party import OURS, Package, VendoredFiles, needed_directly

SCHEMA = SchemaVersion.V1_6
SCOPES = {False: ComponentScope.REQUIRED, True: ComponentScope.OPTIONAL}
licences = LicenseFactory()


def sbom(
    wheel: Wheel, moment: int, packages: Sequence[Package], files: Sequence[VendoredFiles]
) -> str:
    """The SBOM's text. The same wheel, time (seconds since 1970) and parts give the same text."""
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, wheel.sha256))
    bom.metadata.timestamp = datetime.fromtimestamp(moment, UTC)
    bom.metadata.component = root = _of_wheel(wheel)
    by_name = {each.name: _of_package(each) for each in packages}
    vendored = [_of_file(wheel, path, row) for row in files for path in row.paths]
    bom.components.update([*by_name.values(), *vendored])
    bom.register_dependency(root, [by_name[name] for name in needed_directly()] + vendored)
    for each in packages:
        bom.register_dependency(by_name[each.name], [by_name[name] for name in each.needs])
    return make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string(indent=1) + "\n"


def _of_wheel(wheel: Wheel) -> Component:
    return Component(
        name=OURS,
        version=wheel.version,
        type=ComponentType.APPLICATION,
        bom_ref=OURS,
        licenses=[licences.make_from_string("Apache-2.0")],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
    )


def _of_package(package: Package) -> Component:
    return Component(
        name=package.name,
        version=package.version,
        bom_ref=package.name,
        scope=SCOPES[package.is_optional],
        licenses=[licences.make_from_string(package.licence)] if package.licence else [],
        purl=PackageURL("pypi", None, package.name, package.version),
    )


def _of_file(wheel: Wheel, path: str, row: VendoredFiles) -> Component:
    content = wheel.read(path)
    return Component(
        name=path,
        type=ComponentType.FILE,
        bom_ref=path,
        description=row.origin,
        licenses=[licences.make_with_name(row.licence)],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())],
    )
