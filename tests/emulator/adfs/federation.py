"""A federated domain: how its AD FS behaves, and where it is."""

from __future__ import annotations

from dataclasses import dataclass

from ..certificates import SigningKey


@dataclass(frozen=True)
class AdfsConfig:
    """How one AD FS behaves; the default is a plain AD FS 2019.

    versions: WS-Trust versions whose user name endpoint is on, and listed by MEX.
    saml: version of the assertions, "1.1" or "2.0".
    protocol: "WSTrust", or "SAML20" (then the realm names no active endpoint).
    mex_status: any other than 200 is answered instead of the metadata.
    mex_document: WSDL to publish instead, with `$adfs` for this AD FS's address.
    mex_in_envelope: the WSDL sits in mex:Metadata in a SOAP envelope.
    active_path: path of the realm's federation_active_auth_url. One that is not an AD FS path
        (another vendor's) takes every version in `versions`.
    prefixes_on_ancestors: the assertion's prefixes are declared on the envelope only.
    default_namespace: the assertion has no prefix; its namespace is the default one, declared
        on RequestedSecurityToken.
    xsi_types: attribute values carry xsi:type="xs:string".
    inclusive_prefixes: InclusiveNamespaces PrefixList of the signature.
    token_type_first: TokenType before RequestedSecurityToken (AD FS has it after).
    wss_token_type: token type as the WSS SAML token profile spells it.
    extra_response: a 1.3 collection begins with a response that holds another kind of token.
    encoding: of the answer, for instance "utf-16".
    assertion_lifetime: seconds.
    audience: the relying party that it knows and names in assertions.
    """

    versions: tuple[str, ...] = ("2005", "13")
    saml: str = "1.1"
    protocol: str = "WSTrust"
    mex_status: int = 200
    mex_document: str | None = None
    mex_in_envelope: bool = False
    active_path: str = "/adfs/services/trust/2005/usernamemixed"
    prefixes_on_ancestors: bool = False
    default_namespace: bool = False
    xsi_types: bool = False
    inclusive_prefixes: tuple[str, ...] = ()
    token_type_first: bool = False
    wss_token_type: bool = False
    extra_response: bool = False
    encoding: str = "utf-8"
    assertion_lifetime: int = 3600
    audience: str = "urn:federation:MicrosoftOnline"


@dataclass(frozen=True)
class Federation:
    """A federated domain with its own AD FS."""

    domain: str
    tenant: str
    address: str
    config: AdfsConfig
    key: SigningKey

    @property
    def issuer(self) -> str:
        """The Issuer of its assertions, as registered with Entra."""
        return f"http://{self.domain}/adfs/services/trust/"

    @property
    def metadata_url(self) -> str:
        """The MEX address."""
        return f"{self.address}/adfs/services/trust/mex"

    @property
    def active_url(self) -> str:
        """The realm's federation_active_auth_url."""
        return self.address + self.config.active_path
