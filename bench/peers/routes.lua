-- The routes by hand for nginx with Lua: subrequests through proxy_pass, cjson in between.
local cjson = require "cjson.safe"

local capture, capture_multi = ngx.location.capture, ngx.location.capture_multi
local routes = {}

local function decoded(answer)
  if answer.status ~= 200 then
    ngx.exit(502)
  end
  return cjson.decode(answer.body)
end

local function reply(value)
  local body = cjson.encode(value)
  ngx.header.content_type = "application/json"
  ngx.header.content_length = #body
  ngx.print(body)
end

local function narrow(products)
  local narrowed = {}
  for index, product in ipairs(products) do
    narrowed[index] = { id = product.id, name = product.name }
  end
  return narrowed
end

local function composite(path)
  local user_id = ngx.var.id
  local user, products = capture_multi {
    { "/up/users/" .. user_id },
    { path, { args = "user_id=" .. user_id } },
  }
  user = decoded(user)
  reply { user_id = user.id, user_name = user.name, email = user.email, products = narrow(decoded(products)) }
end

function routes.user_products()
  composite("/up/products")
end

function routes.slow()
  composite("/up/slow")
end

function routes.profile()
  local profile = decoded(capture("/up/accounts/" .. ngx.var.id))
  local team, plan = capture_multi { { "/up/teams/" .. profile.team }, { "/up/plans/" .. profile.plan } }
  for _, part in ipairs { decoded(team), decoded(plan) } do
    for key, value in pairs(part) do
      profile[key] = value
    end
  end
  reply(profile)
end

function routes.catalog()
  local user, products = capture_multi { { "/up/users/" .. ngx.var.id }, { "/up/catalog" } }
  user, products = decoded(user), decoded(products)
  if ngx.var.how == "narrowed" then
    products = narrow(products)
  end
  reply { user_id = user.id, user_name = user.name, products = products }
end

local function each_product(lines)
  local requests = {}
  for index, line in ipairs(lines) do
    requests[index] = { "/up/products/" .. line.product }
  end
  local by_id = {}
  for _, answer in ipairs { capture_multi(requests) } do
    local product = decoded(answer)
    by_id[product.id] = product
  end
  return by_id
end

local function batched_products(lines)
  local requests, chunk = {}, {}
  for index, line in ipairs(lines) do
    chunk[#chunk + 1] = "id=" .. line.product
    if #chunk == 50 or index == #lines then
      requests[#requests + 1] = { "/up/products", { args = table.concat(chunk, "&") } }
      chunk = {}
    end
  end
  local by_id = {}
  for _, answer in ipairs { capture_multi(requests) } do
    for _, product in ipairs(decoded(answer)) do
      by_id[product.id] = product
    end
  end
  return by_id
end

function routes.order()
  local order = decoded(capture("/up/orders/" .. ngx.var.id))
  local by_id = (ngx.var.how == "each" and each_product or batched_products)(order.lines)
  local lines = {}
  for index, line in ipairs(order.lines) do
    lines[index] = { n = line.n, name = by_id[line.product].name }
  end
  reply { id = order.id, lines = lines }
end

return routes
