"""Every table of the product, by importing every module that owns one. Migrations and tests read METADATA from here."""

# ruff: noqa: F401

import deposits.bank.simulated
import deposits.bank.transfers
import deposits.demands
import deposits.forfeits
import deposits.ledger.postings
import deposits.receipts
import deposits.reconcile
import deposits.refunds.payees
import deposits.refunds.refunds
import evaluation.panels.experts
import evaluation.panels.panels
import evaluation.reporting.conclusion
import evaluation.scoring.reviews
import evaluation.scoring.sheets
import trading.awarding.contracts
import trading.bidding.consortia
import trading.bidding.drop_tickets
import trading.draws
import trading.hall.attendance
import trading.hall.base_prices
import trading.hall.opened_files
import trading.hall.papers
import trading.hall.readings
import trading.kernel.kept
import trading.kernel.log
import trading.kernel.outbox
import trading.kernel.rates
import trading.kernel.restored
import trading.opening.co_opening
import trading.opening.findings
import trading.opening.runs
import trading.opening.scrub
import trading.opening.technical
import trading.parties.corrections
import trading.parties.failed_sign_ins
import trading.parties.inbox
import trading.parties.mail_choices
import trading.parties.mail_queue
import trading.parties.password_links
import trading.parties.registrations
import trading.parties.role_proposals
import trading.reports.history
import trading.rulebook.calendars
import trading.tendering.enquiries
import trading.tendering.follows
import trading.timeline
from trading.kernel.db import Base

METADATA = Base.metadata
