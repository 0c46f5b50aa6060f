# What the checks accept of interface endpoints, until the platform has some.

resource "aws_vpc_endpoint" "interface" {
  for_each = toset(["ecr.api", "ecr.dkr", "sts"])

  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for zone in keys(local.zones) : aws_subnet.private[zone].id]
  security_group_ids  = [aws_security_group.endpoints.id]
}
