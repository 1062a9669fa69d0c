"""Every table of the product, by importing every module that owns one. Migrations and tests read METADATA from here."""

# ruff: noqa: F401

import deposits.bank.simulated
import deposits.demands
import deposits.forfeits
import deposits.ledger
import deposits.payees
import deposits.receipts
import deposits.reconcile
import deposits.refunds
import deposits.transfers
import evaluation.conclusion
import evaluation.experts
import evaluation.panels
import evaluation.reviews
import evaluation.sheets
import trading.attendance
import trading.base_prices
import trading.calendars
import trading.co_opening
import trading.consortia
import trading.contracts
import trading.draws
import trading.drop_tickets
import trading.enquiries
import trading.findings
import trading.follows
import trading.inbox
import trading.kernel.kept
import trading.kernel.log
import trading.kernel.outbox
import trading.kernel.rates
import trading.opened_files
import trading.opening_papers
import trading.opening_runs
import trading.password_links
import trading.readings
import trading.registrations
import trading.reports.history
import trading.role_proposals
import trading.technical
import trading.timeline
from trading.kernel.db import Base

METADATA = Base.metadata
