"""Metadata as identity providers publish it: AD FS, PingFederate and Okta, shortened but true.

Vendors differ in the order of elements, in prefixes, in white space, in the policy namespace, in
where the WSDL sits and in how many bindings there are that are of no use with a password.
"""

from __future__ import annotations

SP12 = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"
SP05 = "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy"
TRUST13 = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
TRUST2005 = "http://schemas.xmlsoap.org/ws/2005/02/trust"
WSP2004 = "http://schemas.xmlsoap.org/ws/2004/09/policy"
WSP15 = "http://www.w3.org/ns/ws-policy"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

_TLS = """<sp:TransportBinding xmlns:sp="{sp}"><wsp:Policy><sp:TransportToken><wsp:Policy>
  <sp:HttpsToken RequireClientCertificate="{certificate}"/></wsp:Policy></sp:TransportToken>
  <sp:AlgorithmSuite><wsp:Policy><sp:Basic256/></wsp:Policy></sp:AlgorithmSuite>
  <sp:Layout><wsp:Policy><sp:Strict/></wsp:Policy></sp:Layout><sp:IncludeTimestamp/></wsp:Policy>
</sp:TransportBinding>"""
_MESSAGE_SECURITY = """<sp:SymmetricBinding xmlns:sp="{sp}"><wsp:Policy><sp:ProtectionToken>
  <wsp:Policy><sp:X509Token sp:IncludeToken="{sp}/IncludeToken/Never"/></wsp:Policy>
</sp:ProtectionToken></wsp:Policy></sp:SymmetricBinding>"""
_USER_NAME = """<sp:{tokens} xmlns:sp="{sp}"><wsp:Policy>
  <sp:UsernameToken sp:IncludeToken="{sp}/IncludeToken/AlwaysToRecipient"><wsp:Policy>
    <sp:WssUsernameToken10/></wsp:Policy></sp:UsernameToken></wsp:Policy></sp:{tokens}>"""
_RSA = """<sp:EndorsingSupportingTokens xmlns:sp="{sp}"><wsp:Policy>
  <mssp:RsaToken xmlns:mssp="http://schemas.microsoft.com/ws/2005/07/securitypolicy"
    sp:IncludeToken="{sp}/IncludeToken/Never" wsp:Optional="true"/>
  <sp:SignedParts><sp:Header Name="To" Namespace="http://www.w3.org/2005/08/addressing"/>
  </sp:SignedParts></wsp:Policy></sp:EndorsingSupportingTokens>"""
_ENDORSING = """<sp:EndorsingSupportingTokens xmlns:sp="{sp}"><wsp:Policy>
  <sp:{token} sp:IncludeToken="{sp}/IncludeToken/AlwaysToRecipient"><wsp:Policy/></sp:{token}>
</wsp:Policy></sp:EndorsingSupportingTokens>"""
_NEGOTIATE = (
    '<http:NegotiateAuthentication xmlns:http="http://schemas.microsoft.com/ws/06/2004/policy/http"'
    "/>" + _TLS
)

_ADFS = "https://sts.contoso.com/adfs/services/trust"
# binding, path below 2005/ and 13/, what its policy holds; the order is AD FS' own
_ADFS_BINDINGS = (
    ("CustomBinding_{0}", "windowstransport", _NEGOTIATE),
    ("CertificateWSTrustBinding_{0}", "certificatemixed", _TLS + _ENDORSING),
    ("CertificateWSTrustBinding_{0}1", "certificatetransport", _TLS),
    ("UserNameWSTrustBinding_{0}", "username", _MESSAGE_SECURITY + _USER_NAME),
    ("UserNameWSTrustBinding_{0}1", "usernamemixed", _TLS + _USER_NAME + _RSA),
    ("IssuedTokenWSTrustBinding_{0}", "issuedtokenmixedasymmetricbasic256", _TLS + _ENDORSING),
)


def adfs(wsp: str = WSP2004) -> str:
    """AD FS 2019: two generations of everything, 2005 first; only usernamemixed is of use."""
    policies, bindings, ports = [], [], []
    for contract, trust, path, sp, tokens in (
        ("IWSTrustFeb2005Async", TRUST2005, "2005", SP05, "SignedSupportingTokens"),
        ("IWSTrust13Async", TRUST13, "13", SP12, "SignedEncryptedSupportingTokens"),
    ):
        for pattern, folder, content in _ADFS_BINDINGS:
            name = pattern.format(contract)
            assertions = content.format(
                sp=sp,
                tokens=tokens,
                certificate="true" if folder == "certificatetransport" else "false",
                token="IssuedToken" if folder.startswith("issued") else "X509Token",
            )
            policies.append(f"""
  <wsp:Policy wsu:Id="{name}_policy"><wsp:ExactlyOne><wsp:All>{assertions}
    <wsaw:UsingAddressing/></wsp:All></wsp:ExactlyOne></wsp:Policy>""")
            bindings.append(f"""
  <wsdl:binding name="{name}" type="tns:{contract}">
    <wsp:PolicyReference URI="#{name}_policy"/>
    <soap12:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="TrustIssueAsync">
      <soap12:operation soapAction="{trust}/RST/Issue" style="document"/>
      <wsdl:input><soap12:body use="literal"/></wsdl:input>
      <wsdl:output><soap12:body use="literal"/></wsdl:output>
    </wsdl:operation>
  </wsdl:binding>""")
            ports.append(f"""
    <wsdl:port name="{name}" binding="tns:{name}">
      <soap12:address location="{_ADFS}/{path}/{folder}"/>
      <wsa10:EndpointReference>
        <wsa10:Address>{_ADFS}/{path}/{folder}</wsa10:Address>
      </wsa10:EndpointReference>
    </wsdl:port>""")
    return f"""<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions name="SecurityTokenService"
    targetNamespace="http://schemas.microsoft.com/ws/2008/06/identity/securitytokenservice"
    xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
    xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
    xmlns:tns="http://schemas.microsoft.com/ws/2008/06/identity/securitytokenservice"
    xmlns:wsa10="http://www.w3.org/2005/08/addressing" xmlns:wsp="{wsp}" xmlns:wsu="{_WSU}"
    xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl">{"".join(policies)}
  <wsdl:types/>{"".join(bindings)}
  <wsdl:service name="SecurityTokenService">{"".join(ports)}
  </wsdl:service>
</wsdl:definitions>"""


def ping() -> str:
    """PingFederate: a SOAP envelope around mex:Metadata, the service first, text over lines."""
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<S:Envelope xmlns:S="http://www.w3.org/2003/05/soap-envelope"><S:Body>
<mex:Metadata xmlns:mex="http://schemas.xmlsoap.org/ws/2004/09/mex">
<mex:MetadataSection Dialect="http://schemas.xmlsoap.org/wsdl/">
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s12="http://schemas.xmlsoap.org/wsdl/soap12/"
    xmlns:p="{WSP2004}" xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:u="{_WSU}"
    xmlns:sts="urn:sts" targetNamespace="urn:sts">
  <service name="STS">
    <port name="UserNamePort" binding="
        sts:UserName ">
      <s12:address location="https://fam.contoso.com/idp/sts.wst"/>
      <a:EndpointReference><a:Address>
        https://fam.contoso.com/idp/sts.wst?TokenProcessorId=ad&amp;x=1
      </a:Address></a:EndpointReference>
    </port>
  </service>
  <binding name="UserName" type="sts:WSTrust">
    <s12:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Cancel"><s12:operation soapAction="{TRUST2005}/RST/Cancel"/></operation>
    <operation name="Issue"><s12:operation soapAction=" {TRUST2005}/RST/Issue
      "/></operation>
    <p:PolicyReference URI="
      #UserNamePolicy "/>
  </binding>
  <p:Policy u:Id="UserNamePolicy"><p:ExactlyOne>
    <p:All><k:Kerberos xmlns:k="urn:other"/></p:All>
    <p:All>
      <y:SignedSupportingTokens xmlns:y="{SP05}"><p:Policy><y:UsernameToken/></p:Policy>
      </y:SignedSupportingTokens>
      <y:TransportBinding xmlns:y="{SP05}"><p:Policy/></y:TransportBinding>
    </p:All>
  </p:ExactlyOne></p:Policy>
</definitions>
</mex:MetadataSection></mex:Metadata></S:Body></S:Envelope>"""


def okta() -> str:
    """Okta: WS-Policy 1.5, both versions at one address, a SOAP 1.1 binding of no use, no name."""
    address = "https://contoso.okta.com/app/office365/exk1/sso/wsfed/active"
    return f"""<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/">
  <!-- one policy for both --><policy:Policy xmlns:policy="{WSP15}" xmlns:wsu="{_WSU}"
    wsu:Id="UserNameToken"><policy:ExactlyOne><policy:All>
    <TransportBinding xmlns="{SP12}"><policy:Policy/></TransportBinding>
    <SignedEncryptedSupportingTokens xmlns="{SP12}"><policy:Policy><UsernameToken/></policy:Policy>
    </SignedEncryptedSupportingTokens>
  </policy:All></policy:ExactlyOne></policy:Policy>
  <wsdl:binding name="Soap11"><policy:PolicyReference xmlns:policy="{WSP15}" URI="#UserNameToken"/>
    <soap:binding xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
      transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation><soap:operation xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
      soapAction="{TRUST13}/RST/Issue"/></wsdl:operation></wsdl:binding>
  {
        "".join(
            f'''<wsdl:binding name="{name}">
    <policy:PolicyReference xmlns:policy="{WSP15}" URI="#UserNameToken"/>
    <binding xmlns="http://schemas.xmlsoap.org/wsdl/soap12/"
      transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation><operation xmlns="http://schemas.xmlsoap.org/wsdl/soap12/"
      soapAction="{trust}/RST/Issue"/></wsdl:operation></wsdl:binding>'''
            for name, trust in (("B2005", TRUST2005), ("B13", TRUST13))
        )
    }
  <wsdl:service>{
        "".join(
            f'''<wsdl:port binding="{name}">
    <EndpointReference xmlns="http://www.w3.org/2005/08/addressing"><Address>{address}</Address>
    </EndpointReference></wsdl:port>'''
            for name in ("Soap11", "B2005", "B13")
        )
    }
  </wsdl:service>
</wsdl:definitions>"""


def in_envelope(wsdl: str) -> str:
    """The same WSDL inside mex:Metadata in a SOAP envelope."""
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
        '<Metadata xmlns="http://schemas.xmlsoap.org/ws/2004/09/mex"><MetadataSection xmlns="">'
        f"{wsdl.partition('?>')[2] or wsdl}</MetadataSection></Metadata></s:Body></s:Envelope>"
    )
