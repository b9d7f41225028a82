# SPDX-License-Identifier: GPL-2.0-only
#
# What a person calls. (Kbuild, building the module, reads the file Kbuild beside this one.)

export NTFS_RS_CACHE ?= /var/cache/ntfs_rs
export IMAGE RW OPTIONS OUT RUSTC

.DEFAULT_GOAL := help
.PHONY: help run test campaign fuzz module sdk kernels clean distclean

help: ## this list
	@echo 'make TARGET   (as root; everything is kept in $(NTFS_RS_CACHE), or where NTFS_RS_CACHE says)'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1 \2/p' $(MAKEFILE_LIST) | \
		while read -r target text; do printf '  %-10s %s\n' "$$target" "$$text"; done

run: ## mount a real NTFS volume in Debian's stock kernel in a VM (IMAGE=file-or-device RW=1 OPTIONS=...)
	@tools/run.sh

test: ## all tests, the short form
	@tests/run.sh

campaign: ## all tests with all cases and seeds: hours
	@tests/run.sh --campaign

fuzz: ## fuzz the decoders for long
	@tests/fuzz.sh

module: ## build ntfs_rs.ko (KDIR=stock, debug, or the build folder of any Linux 7.3 with Rust; OUT=folder)
	@tools/module.sh '$(KDIR)'

sdk: ## the folder with Debian 13 in which everything is built
	@tools/sdk.sh

kernels: ## the stock and the debug kernel, and the root of the VMs
	@tools/kernel.sh stock debug
	@tools/guest.sh

clean: ## remove the built modules and host programs
	rm -rf '$(NTFS_RS_CACHE)/module' '$(NTFS_RS_CACHE)/target'

distclean: ## remove everything that was made: the whole of NTFS_RS_CACHE
	@[ -d '$(NTFS_RS_CACHE)/stamp' ] || { echo '$(NTFS_RS_CACHE) is not there, or not ours'; exit 1; }
	@echo 'removing $(NTFS_RS_CACHE): SDK, kernels, guest, sample volume, modules, logs ...'
	@rm -rf --one-file-system '$(NTFS_RS_CACHE)'
