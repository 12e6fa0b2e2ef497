// SPDX-License-Identifier: Apache-2.0
#pragma once
// The subcommands of `sluice`, one .cc each.  Each function adds its subcommand to `app`, with a callback that does the
// work when the command line names it.  The callback throws sluice::Error; main prints it and chooses the exit code.

namespace CLI {
class App;
}

namespace sluice::tools {

void AddBindCommand(CLI::App& app);
void AddConvertCommand(CLI::App& app);
void AddCopyCommand(CLI::App& app);
void AddInspectCommand(CLI::App& app);
void AddMountCommand(CLI::App& app);
void AddUmountCommand(CLI::App& app);
void AddUnbindCommand(CLI::App& app);
void AddListCommand(CLI::App& app);
void AddStatusCommand(CLI::App& app);

}  // namespace sluice::tools
