// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <unistd.h>

#include <optional>
#include <string>

#include "base/log.h"
#include "build/build.h"
#include "cli/progress.h"

namespace vs {

// Shows the stages of a build or delete: live on a terminal, a line per stage with -v elsewhere.
class ShownAdvance {
 public:
  void show(const Advance& how_far) {
    if (!wanted_) return;
    if (how_far.stage != stage_) {
      done();
      stage_ = how_far.stage;
      progress_.emplace(stage_);
    }
    if (how_far.total) progress_->set_total(*how_far.total);
    progress_->update(how_far.done, how_far.text);
  }
  void done() {
    if (progress_) progress_->done();
    progress_.reset();
    stage_.clear();
  }

 private:
  // On a terminal that is busy with each step's text a live line would only flicker.
  bool wanted_ =
      log_level < Level::Debug && (::isatty(STDERR_FILENO) == 1 || log_level >= Level::Info);
  std::string stage_;
  std::optional<Progress> progress_;
};

}  // namespace vs
