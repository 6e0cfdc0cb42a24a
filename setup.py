"""Packaging: one wheel for az (`az extension add --source`) and for pip (`[standalone]`)."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
SOURCE = ROOT / "src" / "aks-noninteractive"
VERSION = re.search(
    r'^VERSION = "([^"]+)"$',
    (SOURCE / "aks_noninteractive" / "__init__.py").read_text(encoding="utf-8"),
    re.MULTILINE,
).group(1)

setup(
    name="aks-noninteractive",
    version=VERSION,
    description="A working kubeconfig for an Entra-integrated AKS cluster, without a person",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    classifiers=[
        "Development Status :: 5 - Production/Stable",
        "Environment :: Console",
        "Intended Audience :: System Administrators",
        "Programming Language :: Python :: 3",
    ],
    python_requires=">=3.10",
    package_dir={"": "src/aks-noninteractive"},
    packages=find_packages("src/aks-noninteractive"),
    package_data={"azext_aks_noninteractive": ["azext_metadata.json"]},
    # az brings all that the extension uses; a second copy of msal or requests beside az's own
    # would only slow it down, so this stays empty.
    install_requires=[],
    extras_require={
        "standalone": [
            "azure-mgmt-core>=1.4.0",
            "msal>=1.29.0",
            "msal-extensions>=1.1.0",
            "PyYAML>=6.0",
            "requests>=2.31.0",
        ]
    },
    entry_points={"console_scripts": ["azaksauth=aks_noninteractive.__main__:main"]},
)
