# Written by blueprint. Change the blueprint instead.

locals {
  vpc_range = "10.30.0.0/16"

  # By zone id, because the zone with the letter `a` differs between accounts.
  zones = {
    "euw1-az1" = { private = "10.30.0.0/19", public = "10.30.128.0/22", database = "10.30.144.0/22" }
    "euw1-az2" = { private = "10.30.32.0/19", public = "10.30.132.0/22", database = "10.30.148.0/22" }
    "euw1-az3" = { private = "10.30.64.0/19", public = "10.30.136.0/22", database = "10.30.152.0/22" }
  }

  # The zone with the only NAT gateway. If this zone fails, the others cannot reach the internet.
  gateway = "euw1-az1"
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
# One NAT gateway for all zones, which is cheaper.
resource "aws_eip" "nat" {
  for_each = toset([local.gateway])

  domain = "vpc"

  tags = { Name = "${local.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "main" {
  for_each = toset([local.gateway])

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
  nat_gateway_id         = aws_nat_gateway.main[local.gateway].id
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
