locals {
  vpc_range = "#{ environment.network.range }#"

  # By zone id, because the zone with the letter `a` differs between accounts.
  zones = {
#%- for zone in environment.network.zones %#
#%- if environment.database.is_some() %#
    "#{ zone.id }#" = { private = "#{ zone.private }#", public = "#{ zone.public }#", database = "#{ zone.database }#" }
#%- else %#
    "#{ zone.id }#" = { private = "#{ zone.private }#", public = "#{ zone.public }#" }
#%- endif %#
#%- endfor %#
  }
#%- if single %#

  # The zone with the only NAT gateway. If this zone fails, the others cannot reach the internet.
  gateway = "#{ environment.network.zones[0].id }#"
#%- endif %#
}

resource "aws_vpc" "main" {
  cidr_block = local.vpc_range

  # Only the VPC's own DNS resolves the name of the cluster's private endpoint.
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = local.name }
}

# Terraform adopts the default security group and removes its rules: resources without a security group have no network access.
resource "aws_default_security_group" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-default" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = local.name }
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id               = aws_vpc.main.id
  availability_zone_id = each.key
  cidr_block           = each.value.private

  tags = {
    Name                              = "${local.name}-private-${each.key}"
    "kubernetes.io/role/internal-elb" = "1"
  }
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id                  = aws_vpc.main.id
  availability_zone_id    = each.key
  cidr_block              = each.value.public
  map_public_ip_on_launch = false

  tags = {
    Name                     = "${local.name}-public-${each.key}"
    "kubernetes.io/role/elb" = "1"
  }
}

#%- if single %#
# One NAT gateway for all zones, which is cheaper.
resource "aws_eip" "nat" {
  for_each = toset([local.gateway])
#%- else %#
# One NAT gateway per zone, so that the failure of a zone does not affect the others.
resource "aws_eip" "nat" {
  for_each = local.zones
#%- endif %#

  domain = "vpc"

  tags = { Name = "${local.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "main" {
#%- if single %#
  for_each = toset([local.gateway])
#%- else %#
  for_each = local.zones
#%- endif %#

  allocation_id = aws_eip.nat[each.key].allocation_id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${local.name}-${each.key}" }

  # A NAT gateway needs a route to the internet when it is created.
  depends_on = [aws_route.public]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-public" }
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  for_each = local.zones

  route_table_id = aws_route_table.public.id
  subnet_id      = aws_subnet.public[each.key].id
}

resource "aws_route_table" "private" {
  for_each = local.zones

  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-private-${each.key}" }
}

resource "aws_route" "private" {
  for_each = local.zones

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
#%- if single %#
  nat_gateway_id = aws_nat_gateway.main[local.gateway].id
#%- else %#
  nat_gateway_id = aws_nat_gateway.main[each.key].id
#%- endif %#
}

resource "aws_route_table_association" "private" {
  for_each = local.zones

  route_table_id = aws_route_table.private[each.key].id
  subnet_id      = aws_subnet.private[each.key].id
}

# Free of charge: image layers and backups bypass the NAT gateways, which charge per gigabyte.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for zone in keys(local.zones) : aws_route_table.private[zone].id]

  tags = { Name = "${local.name}-s3" }
}

#%- if !environment.network.endpoints.is_empty() %#

# Charged per hour and zone: for AWS traffic that must stay in the VPC, or that would cost more through NAT.
resource "aws_vpc_endpoint" "interface" {
  for_each = toset([
#%- for endpoint in environment.network.endpoints %#
    "#{ endpoint.service() }#",
#%- endfor %#
  ])

  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for zone in keys(local.zones) : aws_subnet.private[zone].id]
  security_group_ids  = [aws_security_group.endpoints.id]

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  name        = "${local.name}-endpoints"
  description = "Interface endpoints of ${local.name}"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id = aws_security_group.endpoints.id
  description       = "From inside the network"
  cidr_ipv4         = local.vpc_range
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = { Name = "${local.name}-endpoints" }
}
#%- endif %#

resource "aws_cloudwatch_log_group" "flow_logs" {
  name              = local.log_groups.flow_logs
  kms_key_id        = aws_kms_key.logs.arn
  retention_in_days = 365
}

resource "aws_flow_log" "main" {
  vpc_id               = aws_vpc.main.id
  traffic_type         = "ALL"
  log_destination_type = "cloud-watch-logs"
  log_destination      = aws_cloudwatch_log_group.flow_logs.arn
  iam_role_arn         = aws_iam_role.flow_logs.arn

  tags = { Name = local.name }

  depends_on = [aws_iam_role_policy.flow_logs]
}
