# The records that make the world believe our mails, for the owners of the zone: see README.md.

locals {
  dkim        = jsondecode(file("${path.module}/dkim_domains.json"))
  dkim_domain = contains(local.dkim.regions_with_their_own, var.deployment.region) ? "dkim.${var.deployment.region}.amazonses.com" : local.dkim.common
  dkim_tokens = flatten(aws_sesv2_email_identity.this.dkim_signing_attributes[*].tokens)
  mail_from   = "bounce.${var.domain}"

  dns_records = concat(
    [for token in local.dkim_tokens : {
      name  = "${token}._domainkey.${var.domain}"
      type  = "CNAME"
      value = "${token}.${local.dkim_domain}"
    }],
    [
      { name = local.mail_from, type = "MX", value = "10 feedback-smtp.${var.deployment.region}.amazonses.com" },
      { name = local.mail_from, type = "TXT", value = "v=spf1 include:amazonses.com ~all" },
      { name = "_dmarc.${var.domain}", type = "TXT", value = "v=DMARC1; p=quarantine; rua=mailto:dmarc@${var.domain}" },
    ],
  )
}
