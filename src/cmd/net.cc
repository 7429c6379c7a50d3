// SPDX-License-Identifier: GPL-2.0-or-later
// vserver GUEST net: what a guest may use of the network, and what it used.
#include <cstdio>

#include "cli/table.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/net_tools.h"
#include "guest/state.h"
#include "net/net_flags.h"

namespace vs {

namespace {

constexpr std::array kOptions{Option{0, "json", "", "Print JSON"}};

constexpr std::array<std::string_view, VS_PROTOCOLS> kProtocols{"tcp", "udp", "icmp", "other"};

std::string_view mode_name(NetMode mode) {
  switch (mode) {
    case NetMode::Shared: return "shared";
    case NetMode::Private: return "private";
    case NetMode::Host: return "host";
  }
  return "?";
}

template <class Visit>
void each_count(const vs_traffic& traffic, Visit visit) {
  for (std::size_t i = 0; i < kProtocols.size(); ++i) {
    visit("ipv4", kProtocols[i], traffic.ipv4[i]);
    visit("ipv6", kProtocols[i], traffic.ipv6[i]);
  }
}

bool is_zero(const vs_count& c) {
  return (c.in_packets | c.out_packets | c.refused) == 0;
}

std::uint64_t sockets_of(const vs_traffic& t) {
  return t.sockets_made > t.sockets_gone ? t.sockets_made - t.sockets_gone : 0;
}

void print_json(const GuestConfig& config, const std::optional<NetReport>& report) {
  JsonObject out;
  out.add("name", config.name).add("mode", mode_name(config.net)).add("active", report.has_value());
  if (report) {
    auto const& c = report->context;
    std::vector<std::string> addresses;
    for (auto const& one : c.addresses)
      addresses.push_back(format_address(one));
    out.add("nid", c.nid).add("addresses", addresses).add("lback", format_host(c.lback));
    if (c.lback6) out.add("lback6", format_host(*c.lback6));
    out.add("nflags", format_net_flags(c.nflags));
    out.add("ncapabilities", format_net_capabilities(c.ncaps));
    out.add("abstract_names", report->own_names ? "own" : "shared");
    out.add("sockets", sockets_of(report->traffic));
    out.add("refused_calls", report->traffic.calls_refused);
    JsonArray counts;
    each_count(report->traffic,
               [&](const char* family, std::string_view protocol, const vs_count& n) {
                 JsonObject one;
                 one.add("family", family).add("protocol", protocol);
                 one.add("in_packets", n.in_packets).add("in_bytes", n.in_bytes);
                 one.add("out_packets", n.out_packets).add("out_bytes", n.out_bytes);
                 one.add("refused_packets", n.refused);
                 counts.add(std::move(one));
               });
    out.add("traffic", std::move(counts));
  }
  fmt::print("{}\n", out.text());
}

void print_text(const GuestConfig& config, const std::optional<NetReport>& report) {
  fmt::print("mode:           {}\n", mode_name(config.net));
  if (!report) return;
  auto const& c = report->context;
  fmt::print("network context: {}\n", c.nid);
  for (auto const& one : c.addresses)
    fmt::print("address:        {}\n", format_address(one));
  fmt::print("localhost:      {}{}{}\n", format_host(c.lback), c.lback6 ? " " : "",
             c.lback6 ? format_host(*c.lback6) : "");
  fmt::print("nflags:         {}\n", format_net_flags(c.nflags));
  fmt::print("ncapabilities:  {}\n", format_net_capabilities(c.ncaps));
  fmt::print("abstract names: {}\n",
             report->own_names ? "its own" : "shared with the host and with other guests");
  fmt::print("sockets:        {}\n", sockets_of(report->traffic));
  fmt::print("refused calls:  {}\n", report->traffic.calls_refused);
  Table table{{{"TRAFFIC"},
               {"IN", true},
               {"BYTES", true},
               {"OUT", true},
               {"BYTES", true},
               {"REFUSED", true}}};
  each_count(report->traffic,
             [&](const char* family, std::string_view protocol, const vs_count& n) {
               if (is_zero(n)) return;
               table.add_row({fmt::format("{} {}", family, protocol), std::to_string(n.in_packets),
                              std::to_string(n.in_bytes), std::to_string(n.out_packets),
                              std::to_string(n.out_bytes), std::to_string(n.refused)});
             });
  fmt::print("{}", table.text());
}

Result<int> run_net(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  auto const config = VS_TRY(load_config(guest));
  auto const state = VS_TRY(RunDir::read_state(guest));
  std::optional<NetReport> report;
  if (state) report = VS_TRY(report_net_context(state->xid));
  if (args.has("json")) {
    print_json(config, report);
  } else {
    print_text(config, report);
  }
  return 0;
}

}  // namespace

constexpr Command kNet{.name = "net",
                       .operands = "GUEST",
                       .summary = "Show a guest's addresses, sockets and traffic",
                       .options = kOptions,
                       .min_operands = 1,
                       .max_operands = 1,
                       .run = run_net,
                       .details =
                           "Addresses and counters are those of a running guest with 'net/mode' "
                           "shared.",
                       .program = "vserver",
                       .common = kCommonOptions};

}  // namespace vs
