"""What a release is made of: parts of other people and their licences, SBOM, wheel and sdist."""
